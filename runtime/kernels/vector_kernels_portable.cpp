// What every processor of the target architecture has: SSE2 on x86-64, NEON on 64-bit ARM.
#include "runtime/kernels/value_product_loops.hpp"

namespace kantor::kernels {

const VectorKernels<float> kPortableFloat = vector_table<float, xsimd::default_arch>();
const VectorKernels<double> kPortableDouble = vector_table<double, xsimd::default_arch>();

}  // namespace kantor::kernels
