#include "distributed/rank_memory.hpp"

#include <algorithm>

#include "runtime/core/memory_limits.hpp"
#include "runtime/core/process.hpp"

namespace kantor {

double memory_of_rank(const Communicator& world) {
  return memory_of_rank(world, available_memory_bytes(), memory_left_by_ulimit());
}

double memory_of_rank(const Communicator& world, std::int64_t of_host, std::int64_t of_process) {
  const int in_process = world.backend_name() == "thread" ? world.size() : 1;
  return std::min(static_cast<double>(of_host) / world.local_size(),
                  static_cast<double>(of_process) / in_process);
}

}  // namespace kantor
