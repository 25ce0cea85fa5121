#include "distributed/late_ranks.hpp"

#include <gtest/gtest.h>

namespace kantor {
namespace {

TEST(LateRanks, are_named_where_they_share_no_host_with_the_speaker) {
  EXPECT_EQ(name_ranks_elsewhere({0, 1, 2}, 3), "");
  EXPECT_EQ(name_ranks_elsewhere({0}, 2), "rank 1 is on another host");
  EXPECT_EQ(name_ranks_elsewhere({1}, 3), "ranks 0, 2 are on other hosts");
  EXPECT_EQ(name_ranks_elsewhere({0, 1}, 4), "ranks 2, 3 are on other hosts");
  EXPECT_EQ(name_ranks_elsewhere({0, 1, 6, 7}, 9), "ranks 2 to 5, 8 are on other hosts");
  EXPECT_EQ(name_ranks_elsewhere({2, 3}, 6), "ranks 0, 1, 4, 5 are on other hosts");
}

TEST(LateRanks, are_cut_where_hosts_take_turns) {
  std::vector<int> here;
  for (int rank = 0; rank < 1000; rank += 2) here.push_back(rank);
  EXPECT_EQ(name_ranks_elsewhere(here, 1000),
            "ranks 1, 3, 5, 7, 9, 11, 13, 15, .. are on other hosts");
}

}  // namespace
}  // namespace kantor
