#pragma once

#include <string>
#include <vector>

#include "distributed/communicator.hpp"

namespace kantor {

/// What speaks against the soft-min kernels on this rank's GPU: kernel_faults(), torch-free.
/// @throws ConfigError: no usable GPU, or a library is missing.
std::vector<std::string> gpu_kernel_faults(const Communicator& world);

}  // namespace kantor
