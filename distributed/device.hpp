#pragma once

#include <ATen/core/Tensor.h>

#include "distributed/communicator.hpp"
#include "distributed/context.hpp"

namespace kantor {

/// Where this rank's tensors live: the CPU, or with run.device = "cuda" the visible GPU of its
/// number among the ranks of the host. LibTorch's CUDA part is loaded only then.
/// @throws ConfigError: no usable GPU, or LibTorch's CUDA libraries are not all there.
at::Device device_of(const RunConfig& run, const Communicator& world);

/// The stream that a tensor's device works on now, as a cudaStream_t; null on the CPU.
void* current_stream(const at::Device& device);

}  // namespace kantor
