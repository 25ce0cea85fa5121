// Compiled with -mavx2 -mfma; called only where the processor has both.
#include "runtime/kernels/value_product_loops.hpp"

namespace kantor::kernels {

const VectorKernels<float> kAvx2Float = vector_table<float, xsimd::fma3<xsimd::avx2>>();
const VectorKernels<double> kAvx2Double = vector_table<double, xsimd::fma3<xsimd::avx2>>();

}  // namespace kantor::kernels
