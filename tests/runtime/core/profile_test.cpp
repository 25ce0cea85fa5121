#include "runtime/core/profile.hpp"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace kantor::test {
namespace {

std::vector<std::string> names(const Profile& profile) {
  std::vector<std::string> result;
  for (const auto& [phase, share] : profile.shares(1)) result.push_back(phase);
  return result;
}

TEST(Profile, lists_the_phases_named_beforehand_and_then_those_met) {
  Profile profile;
  profile.list({"data", "forward"});
  profile.list({"forward", "update"});
  EXPECT_EQ(profile.timed("projection", [] { return 3; }), 3);
  profile.timed("data", [] {});
  EXPECT_EQ(names(profile),
            (std::vector<std::string>{"data", "forward", "update", "projection", "other"}));
}

TEST(Profile, shares_out_a_time_whole) {
  Profile profile;
  profile.list({"never"});
  // A phase may time another one that nobody has met before.
  profile.timed("outer", [&] {
    for (int i = 0; i < 20; ++i) profile.timed("inner " + std::to_string(i), [] {});
  });
  double total = 0;
  for (const auto& [phase, share] : profile.shares(100)) total += share;
  EXPECT_NEAR(total, 1, 1e-15);
  EXPECT_EQ(profile.shares(1).front().second, 0);
  EXPECT_GT(profile.shares(1).at(1).second, 0);
}

TEST(Profile, forgets_times_but_not_phases) {
  Profile profile;
  profile.timed("data", [] {});
  profile.restart();
  EXPECT_EQ(names(profile), (std::vector<std::string>{"data", "other"}));
  EXPECT_EQ(profile.shares(1).front().second, 0);
}

}  // namespace
}  // namespace kantor::test
