#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "runtime/core/error.hpp"
#include "runtime/core/text.hpp"

namespace kantor {

/// For the error of a wait in vain: "rank 1 last seen at #417, .., 3 more. See rank 1's log".
/// @param late one clause a rank, not empty; at most four are named.
inline std::string name_late_ranks(std::vector<std::string> late, int first_late) {
  constexpr std::size_t kMostNamed = 4;
  if (late.size() > kMostNamed) {
    const std::string more = concat(late.size() - kMostNamed, " more");
    late.resize(kMostNamed);
    late.push_back(more);
  }
  return concat(join(late), ". See rank ", first_late, "'s log");
}

}  // namespace kantor
