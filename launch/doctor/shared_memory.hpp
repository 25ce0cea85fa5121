#pragma once

#include <string>

#include "launch/doctor/check.hpp"

namespace kantor::launch {

/// What ranks that were killed with their mpirun have left in shared memory: files of this user by
/// the names that Open MPI and NCCL give, older than a minute, which no process has mapped.
/// @param folder /dev/shm; absolute.
Check check_shared_memory(const std::string& folder);

}  // namespace kantor::launch
