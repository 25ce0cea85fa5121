// Compiled with -mavx512f -mavx512cd -mavx512dq -mavx512bw -mavx512vl -mfma; called only where the
// processor has them all.
#include "runtime/kernels/value_product_loops.hpp"

namespace kantor::kernels {

const VectorKernels<float> kAvx512Float = vector_table<float, xsimd::avx512dq>();
const VectorKernels<double> kAvx512Double = vector_table<double, xsimd::avx512dq>();

}  // namespace kantor::kernels
