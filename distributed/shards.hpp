#pragma once

#include <algorithm>
#include <cstdint>

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

}  // namespace kantor
