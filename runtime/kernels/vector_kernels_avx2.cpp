// Compiled with -mavx2 -mfma; called only where the processor has both.
#include "runtime/kernels/vector_loops.hpp"

namespace kantor::kernels {

const VectorKernels<float> kAvx2Float = Loops<float, xsimd::fma3<xsimd::avx2>>::table();
const VectorKernels<double> kAvx2Double = Loops<double, xsimd::fma3<xsimd::avx2>>::table();

}  // namespace kantor::kernels
