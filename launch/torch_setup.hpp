#pragma once

#include <functional>
#include <string>

#include "distributed/context.hpp"

namespace kantor::launch {

/// One thread for LibTorch: parallelism comes from ranks and from our own pool (run.threads).
/// Once per process, before any tensor exists.
void set_up_torch();
/// The same for a further thread that uses tensors: LibTorch counts its threads for each anew.
void set_up_torch_thread();

std::string torch_version();
/// The instruction set of LibTorch's own kernels: "AVX2".
std::string torch_instruction_set();

/// Asks for the cudaStream_t that LibTorch works on now; empty if tensors are on the CPU.
/// @throws ConfigError: no usable GPU.
std::function<void*()> device_stream(const RunConfig& run, const Communicator& world);

}  // namespace kantor::launch
