#include "distributed/turns.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace kantor::test {
namespace {

/// Groups on turn, step by step, as one would write them down.
std::vector<std::size_t> written_out(const std::vector<Turn>& turns, std::size_t num_steps) {
  std::vector<std::size_t> groups;
  while (groups.size() < num_steps) {
    for (const Turn& turn : turns) {
      for (std::int64_t k = 0; k < turn.repeats; ++k) groups.push_back(turn.group);
    }
  }
  groups.resize(num_steps);
  return groups;
}

TEST(Turns, repeat_for_ever) {
  constexpr std::size_t kSteps = 50;
  const std::vector<std::vector<Turn>> all = {
      {{}}, {{0, 3}}, {{0, 2}, {1, 1}}, {{1, 1}, {0, 4}}, {{0, 1}, {1, 2}, {0, 3}, {2, 1}}};
  for (const std::vector<Turn>& turns : all) {
    const std::vector<std::size_t> groups = written_out(turns, kSteps);
    std::vector<std::int64_t> done(3);
    for (std::size_t step = 0; step < kSteps; ++step) {
      const auto number = static_cast<std::int64_t>(step);
      for (std::size_t group = 0; group < 3; ++group) {
        EXPECT_EQ(steps_of(group, turns, number), done[group]) << step;
      }
      const StepId id = step_id(turns, number);
      EXPECT_EQ(id.step, number);
      EXPECT_EQ(id.group, groups[step]) << step;
      EXPECT_EQ(id.group_step, done[id.group]++) << step;
    }
  }
}

}  // namespace
}  // namespace kantor::test
