#pragma once

#include <cstdint>

#include "distributed/communicator.hpp"

namespace kantor {

/// This rank's share of the bytes that are free: of those that host and container leave, among the
/// ranks of the host; of its process's address space (ulimit -v), among those of the process.
double memory_of_rank(const Communicator& world);
/// The same of given bytes.
double memory_of_rank(const Communicator& world, std::int64_t of_host, std::int64_t of_process);

}  // namespace kantor
