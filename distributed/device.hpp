#pragma once

#include <ATen/core/Tensor.h>

#include "distributed/communicator.hpp"
#include "distributed/context.hpp"

namespace kantor {

/// Where this rank's tensors live: the CPU, or with run.device = "cuda" the visible GPU of its
/// number among the ranks of the host, which it makes the calling thread's current one: what asks
/// CUDA without naming a device (page-locked memory, events) else begins to work on the first.
/// LibTorch's CUDA part is loaded only then, and keeps float32 products in float32.
/// @throws ConfigError: no usable GPU, or LibTorch's CUDA libraries are not all there.
at::Device device_of(const RunConfig& run, const Communicator& world);

/// The stream that a tensor's device works on now, as a cudaStream_t; null on the CPU.
void* current_stream(const at::Device& device);

}  // namespace kantor
