#pragma once

// Processor, memory and libraries of one process. Each judge_ takes what was met, so that tests can
// tell it anything.

#include <cstdint>
#include <string>
#include <vector>

#include "distributed/mpi/mpi_library.hpp"
#include "launch/doctor/check.hpp"

namespace kantor::launch {

Check check_processor();

/// Cores of one host: ranks on it, worker threads of each, cores that the host has and that this
/// rank may use.
struct CoreUse {
  int num_ranks = 1;
  int num_threads = 1;
  int num_cores = 1;
  int num_available = 1;  ///< of this rank: a launcher may have bound it to some
};
Check judge_cores(const CoreUse& use);
Check check_cores(int num_ranks, int num_threads);

/// @param bytes available to each of the host's ranks. @param num_ranks how many it has.
Check judge_memory(double bytes, int num_ranks);

/// OMP_NUM_THREADS. @param value null if it is not set.
Check judge_omp_threads(const char* value);

/// Files that this process has mapped: [path, ..], each once.
std::vector<std::string> mapped_libraries();
Check judge_openmp(const std::vector<std::string>& libraries);
Check judge_blas(const std::vector<std::string>& libraries);
Check judge_torch(const std::vector<std::string>& libraries);
Check judge_mpi(const MpiLibrary& library);

}  // namespace kantor::launch
