// Momentum in the solves of ProgOT: the same maps sooner, and resumed to the bit.

#include <gtest/gtest.h>

#include <vector>

#include "solvers/progot/progot.hpp"
#include "tests/solvers/small_problem.hpp"
#include "tests/support/world.hpp"

namespace kantor::test {
namespace {

Outcome solve(const Problem& problem, bool has_momentum, TestRun& run) {
  progot::ProgotConfig config;
  config.steps = 3;
  config.first_tolerance = 1e-8;
  sinkhorn::SinkhornConfig inner;
  inner.tolerance = 1e-8;
  inner.momentum.is_adaptive = has_momentum;
  return progot::solve(config, inner, problem, run.context);
}

TEST(ProgotMomentum, ends_at_the_same_plan_in_fewer_iterations) {
  Problem problem = random_problem({}, 1, {.n = 40, .m = 35, .d = 2});
  problem.epsilon = .02 * problem.statistics.mean;
  TestRun plain(world());
  TestRun moved(world());
  const Outcome expected = solve(problem, false, plain);
  const Outcome result = solve(problem, true, moved);
  EXPECT_TRUE(result.converged.value());
  EXPECT_LT(result.iterations, expected.iterations / 2);
  EXPECT_NEAR(*result.transport_cost, *expected.transport_cost, 1e-5);
}

TEST(ProgotMomentum, resumes_to_the_bit) {
  Problem problem = random_problem({}, 1, {.n = 40, .m = 35, .d = 2});
  problem.epsilon = .03 * problem.statistics.mean;
  TestRun whole(world());
  whole.checkpoints = MemoryCheckpoints(1);
  const Outcome expected = solve(problem, true, whole);
  for (std::size_t at = 0; at < whole.checkpoints.saved().size(); at += 7) {
    TestRun rest(world());
    rest.checkpoints.resume_from(whole.checkpoints.saved()[at]);
    const Outcome resumed = solve(problem, true, rest);
    EXPECT_EQ(resumed.iterations, expected.iterations) << at;
    EXPECT_EQ(resumed.potentials, expected.potentials) << at;
  }
}

}  // namespace
}  // namespace kantor::test
