// What every processor of the target architecture has: SSE2 on x86-64, NEON on 64-bit ARM.
#include "runtime/kernels/vector_loops.hpp"

namespace kantor::kernels {

const VectorKernels<float> kPortableFloat = Loops<float, xsimd::default_arch>::table();
const VectorKernels<double> kPortableDouble = Loops<double, xsimd::default_arch>::table();

}  // namespace kantor::kernels
