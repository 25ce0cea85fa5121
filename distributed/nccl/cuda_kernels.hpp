#pragma once

#include "runtime/kernels/cuda/device_soft_min.hpp"

namespace kantor {

/// The kernels of libkantor_cuda.so, which is loaded if it was not yet. They work on the current
/// device. @throws ConfigError: the library cannot be loaded.
const cuda::SoftMinKernels& soft_min_kernels_of_library();

}  // namespace kantor
