#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "distributed/communicator.hpp"

namespace kantor {

/// Rows [first, last) of `count` that a rank owns: equal slots of ceil(count / size), the last ones
/// shorter or empty.
struct Shard {
  std::int64_t slots;  ///< ceil(count / size): the count of every collective
  std::int64_t first;
  std::int64_t last;
  std::int64_t count() const { return last - first; }
};

inline Shard shard_of(std::int64_t count, int rank, int size) {
  const std::int64_t slots = (count + size - 1) / size;
  const std::int64_t first = std::min(count, slots * rank);
  return {slots, first, std::min(count, first + slots)};
}

/// [count of the shard] of each rank -> [count] on all. Collective.
inline std::vector<double> gather_rows(std::span<const double> mine, std::int64_t count,
                                       Communicator& world, std::string_view what) {
  const Shard shard = shard_of(count, world.rank(), world.size());
  std::vector<double> part(static_cast<std::size_t>(shard.slots), 0.0);
  std::copy(mine.begin(), mine.end(), part.begin());
  std::vector<double> all(part.size() * static_cast<std::size_t>(world.size()));
  world.all_gather<double>(part, all, what);
  all.resize(static_cast<std::size_t>(count));  // shards are contiguous; only the tail is padding
  return all;
}

}  // namespace kantor
