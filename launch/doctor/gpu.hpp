#pragma once

#include <vector>

#include "distributed/nccl/cuda_facts.hpp"
#include "launch/doctor/check.hpp"

namespace kantor::launch {

/// CUDA runtime, NCCL and GPUs. Loads libkantor_cuda.so.
/// @param num_ranks on this host.
std::vector<Check> check_gpus(int num_ranks);

/// @param has_gpu_files whether the system has files of an NVIDIA driver in /dev.
std::vector<Check> judge_gpus(const CudaFacts& facts, bool has_gpu_files, int num_ranks);

}  // namespace kantor::launch
