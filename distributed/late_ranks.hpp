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

/// "rank 1 is on another host", "ranks 2 to 5, 8 are on other hosts": all but those of this host,
/// of which nothing is known; "" if there are none.
/// @param here ranks of this host, ascending.
inline std::string name_ranks_elsewhere(const std::vector<int>& here, int size) {
  constexpr std::size_t kMostNamed = 8;
  std::vector<std::string> runs;
  int num_elsewhere = 0;
  int next = 0;  // the first rank of a run
  const auto end_run = [&](int end) {
    const int count = end - next;
    if (count > 0) {
      runs.push_back(count == 1 ? concat(next) : concat(next, count == 2 ? ", " : " to ", end - 1));
    }
    num_elsewhere += count;
    next = end + 1;
  };
  for (const int rank : here) end_run(rank);
  end_run(size);
  if (num_elsewhere == 0) return "";
  if (num_elsewhere == 1) return concat("rank ", runs[0], " is on another host");
  const bool is_cut = runs.size() > kMostNamed;
  if (is_cut) runs.resize(kMostNamed);
  return concat("ranks ", join(runs), is_cut ? ", .." : "", " are on other hosts");
}

}  // namespace kantor
