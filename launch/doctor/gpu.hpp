#pragma once

#include <string>
#include <vector>

#include "distributed/communicator.hpp"
#include "distributed/nccl/cuda_facts.hpp"
#include "launch/doctor/check.hpp"

namespace kantor::launch {

/// CUDA runtime, NCCL and GPUs, and the kernels on this rank's. Loads libkantor_cuda.so.
std::vector<Check> check_gpus(const Communicator& world);

/// @param has_gpu_files whether the system has files of an NVIDIA driver in /dev.
/// @param num_ranks     on this host.
std::vector<Check> judge_gpus(const CudaFacts& facts, bool has_gpu_files, int num_ranks);

/// NVIDIA_TF32_OVERRIDE. @param value null if it is not set.
Check judge_tf32(const char* value);

/// @param faults what speaks against the kernels.
Check judge_gpu_kernels(const std::vector<std::string>& faults);

}  // namespace kantor::launch
