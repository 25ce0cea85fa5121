#include "distributed/rank_memory.hpp"

#include <algorithm>

#include "runtime/core/memory_limits.hpp"
#include "runtime/core/process.hpp"

namespace kantor {

double memory_of_rank(const Communicator& world) {
  const int in_process = world.backend_name() == "thread" ? world.size() : 1;
  return std::min(static_cast<double>(available_memory_bytes()) / world.local_size(),
                  static_cast<double>(memory_left_by_ulimit()) / in_process);
}

}  // namespace kantor
