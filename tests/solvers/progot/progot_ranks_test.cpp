// Under mpirun with 1 to 4 ranks: the same numbers as one rank computes; a run that stops goes on
// to the bits of one that did not.

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "solvers/progot/progot.hpp"
#include "tests/solvers/rounding.hpp"
#include "tests/support/expect_near.hpp"
#include "tests/support/world.hpp"

namespace kantor::test {
namespace {

const std::vector<Cost> kMappedCosts = {
    {CostKind::sqeuclidean}, {CostKind::half_sqeuclidean}, {CostKind::dot}, {CostKind::pnorm, 1.5}};

progot::ProgotConfig three_steps(bool is_debiased) {
  progot::ProgotConfig config;
  config.steps = 3;
  config.debiased = is_debiased;
  return config;
}

sinkhorn::SinkhornConfig solves_to(double tolerance) {
  sinkhorn::SinkhornConfig solves;
  solves.tolerance = tolerance;
  solves.max_iterations = 300;
  return solves;
}

Outcome solve(Communicator& ranks, const Problem& problem, const progot::ProgotConfig& config,
              const std::string& precision) {
  TestRun run(ranks, precision);
  return progot::solve(config, solves_to(1e-4), problem, run.context);
}

/// By as many iterations whatever the rounding: in float it may decide of the last one.
Outcome solve_for_long(Communicator& ranks, const Problem& problem, progot::ProgotConfig config,
                       const std::string& precision) {
  config.first_tolerance = 0;
  sinkhorn::SinkhornConfig solves = solves_to(0);
  solves.max_iterations = 30;
  TestRun run(ranks, precision);
  return progot::solve(config, solves, problem, run.context);
}

Problem relative_problem(const Cost& cost, const Sizes& sizes) {
  Problem problem = random_problem(cost, .3, sizes);
  problem.rule = {.value = 0, .relative = "std", .scale = .2};
  problem.epsilon = .2 * std::abs(problem.statistics.mean);
  return problem;
}

void expect_same(const Outcome& many, const Outcome& one, double tolerance) {
  EXPECT_EQ(many.iterations_per_step, one.iterations_per_step);
  EXPECT_EQ(many.converged, one.converged);
  expect_near(many.epsilons, one.epsilons, tolerance);
  EXPECT_NEAR(*many.objective, *one.objective, tolerance);
  EXPECT_NEAR(*many.transport_cost, *one.transport_cost, tolerance);
  EXPECT_NEAR(*many.kl, *one.kl, tolerance);
  EXPECT_NEAR(many.dual_value, one.dual_value, tolerance);
  EXPECT_NEAR(many.shape->entropy, one.shape->entropy, tolerance);
  ASSERT_EQ(many.shape->diagonal_mass.has_value(), one.shape->diagonal_mass.has_value());
  if (many.shape->diagonal_mass) {
    EXPECT_NEAR(*many.shape->diagonal_mass, *one.shape->diagonal_mass, tolerance);
  }
  for (std::size_t t = 0; t < one.tensors.size(); ++t) {
    expect_near(many.tensors.at(t).values, one.tensors[t].values, tolerance);
  }
  if (world().rank() != 0) {
    EXPECT_TRUE(many.potentials.empty());
    EXPECT_TRUE(many.points.empty());
    return;
  }
  expect_near(many.points, one.points, tolerance);
  for (std::size_t k = 0; k < 2; ++k) {
    expect_near(many.potentials.at(k), one.potentials.at(k), tolerance);
  }
}

TEST(ProgotRanks, compute_what_one_rank_computes) {
  const auto alone = make_self_communicator();
  for (const bool is_debiased : {false, true}) {
    const progot::ProgotConfig config = three_steps(is_debiased);
    for (const Cost& cost : kMappedCosts) {
      const Problem problem = relative_problem(cost, {.n = 45, .m = 38, .d = 3});
      SCOPED_TRACE(concat(cost_name(cost.kind), is_debiased ? " debiased" : ""));
      const double condition = condition_of(problem, [&](const Problem& each) {
        return solve_for_long(*alone, each, config, "float64");
      });
      expect_same(solve(world(), problem, config, "float64"),
                  solve(*alone, problem, config, "float64"), rounding<double>(problem, condition));
      expect_same(solve_for_long(world(), problem, config, "float32"),
                  solve_for_long(*alone, problem, config, "float32"),
                  rounding<float>(problem, condition));
    }
  }
}

TEST(ProgotRanks, may_outnumber_the_rows) {
  const auto alone = make_self_communicator();
  for (const std::int64_t n : {1, 3, 5}) {  // 5 rows on 4 ranks: 2, 2, 1, 0
    for (const bool is_debiased : {false, true}) {
      const Problem problem = random_problem({}, .3, {.n = n, .m = n, .d = 2});
      expect_same(solve(world(), problem, three_steps(is_debiased), "float64"),
                  solve(*alone, problem, three_steps(is_debiased), "float64"), 1e-12);
    }
  }
}

TEST(ProgotRanks, tune_alike) {
  const auto alone = make_self_communicator();
  progot::ProgotConfig config = three_steps(false);
  config.epsilon_schedule = "tuned";
  config.tuning.points = 30;
  const Problem problem = random_problem({}, .3, {.n = 45, .m = 38, .d = 3});
  expect_same(solve(world(), problem, config, "float64"), solve(*alone, problem, config, "float64"),
              1e-12);
}

TEST(ProgotRanks, are_stopped_in_the_evaluation_and_solve_nothing_again) {
  const Problem wide = problem_in_parts();
  progot::ProgotConfig config;
  config.steps = 2;
  config.first_tolerance = 0;
  sinkhorn::SinkhornConfig solves;
  solves.tolerance = 0;
  solves.max_iterations = 1;
  solves.storage = "streamed";
  TestRun whole(world(), "float32");
  const Outcome expected = progot::solve(config, solves, wide, whole.context);
  const std::int64_t num_asked = whole.stop.num_answers();
  TestRun stopped(world(), "float32");
  if (world().rank() == 0) stopped.stop.ask_at(num_asked);  // the last pause
  EXPECT_THROW(progot::solve(config, solves, wide, stopped.context), Stopped);
  TestRun resumed(world(), "float32");
  resumed.checkpoints.resume_from(stopped.checkpoints.saved().back());
  const Outcome rest = progot::solve(config, solves, wide, resumed.context);
  EXPECT_EQ(resumed.stop.num_answers(), num_asked - 2 * (solves.max_iterations + 1));
  EXPECT_EQ(rest.objective, expected.objective);
  EXPECT_EQ(rest.dual_value, expected.dual_value);
  EXPECT_EQ(rest.marginal_error, expected.marginal_error);
  EXPECT_EQ(rest.iterations_per_step, expected.iterations_per_step);
  EXPECT_EQ(rest.potentials, expected.potentials);
  EXPECT_EQ(rest.points, expected.points);
}

TEST(ProgotRanks, keep_their_points_to_themselves) {
  const Problem problem = random_problem({}, .3, {.n = 45, .m = 38, .d = 200});
  const auto traffic = [&](std::int64_t steps) {
    TestRun run(world());
    progot::ProgotConfig config;
    config.steps = steps;
    config.first_tolerance = 0;
    sinkhorn::SinkhornConfig solves;
    solves.tolerance = 0;
    solves.max_iterations = 2;
    const CommCounts before = world().counts();
    progot::solve(config, solves, problem, run.context);
    CommCounts counts = world().counts();
    counts.bytes -= before.bytes;
    counts.all_gather -= before.all_gather;
    return counts;
  };
  const CommCounts three = traffic(3);
  const CommCounts four = traffic(4);
  EXPECT_EQ(four.all_gather, three.all_gather);
  // One solve more: three passes with 38 column sums and five numbers, a transform to the y without
  // weight, the mean [D] of the moved cloud, few numbers else.
  EXPECT_LE(four.bytes - three.bytes, 3 * 43 * 8 + 2 * 38 * 8 + 200 * 8 + 10 * 8);
}

class ProgotResume : public testing::Test {
 protected:
  explicit ProgotResume() {
    config_.steps = 3;
    config_.debiased = true;
    config_.first_tolerance = 1e-6;  // a few iterations of the cloud to itself
    config_.epsilon_schedule = "tuned";
    config_.tuning.scales = {.25};
    config_.tuning.start = 1;
  }
  Outcome run(TestRun& run) const {
    return progot::solve(config_, solves_to(1e-6), problem_, run.context);
  }
  static void expect_same_bits(const Outcome& a, const Outcome& b) {
    EXPECT_EQ(a.iterations_per_step, b.iterations_per_step);
    EXPECT_EQ(a.converged_per_step, b.converged_per_step);
    EXPECT_EQ(a.epsilons, b.epsilons);
    EXPECT_EQ(*a.objective, *b.objective);
    EXPECT_EQ(a.dual_value, b.dual_value);
    EXPECT_EQ(a.potentials, b.potentials);
    EXPECT_EQ(a.points, b.points);
    ASSERT_EQ(a.tensors.size(), b.tensors.size());
    for (std::size_t t = 0; t < a.tensors.size(); ++t) {
      EXPECT_EQ(a.tensors[t].values, b.tensors[t].values);
    }
  }

  progot::ProgotConfig config_;
  Problem problem_ = relative_problem({CostKind::half_sqeuclidean}, {.n = 45, .m = 38, .d = 3});
};

/// A state of nothing, or of the start of a solve.
bool is_boundary(const checkpoint::Snapshot& state) {
  for (const auto& [name, step] : state.metadata.integers) {
    if (name.ends_with("/step")) return step == 0 && !name.ends_with("self/step");
  }
  return true;
}

TEST_F(ProgotResume, ends_with_the_same_bits_from_every_checkpoint) {
  for (const std::string precision : {"float64", "float32"}) {
    TestRun whole(world(), precision);
    whole.checkpoints = MemoryCheckpoints(3);
    const Outcome expected = run(whole);
    const std::vector<checkpoint::Snapshot>& saved = whole.checkpoints.saved();
    ASSERT_GE(saved.size(), 5u);
    std::int64_t last = -1;
    std::int64_t boundaries = 0;
    for (const checkpoint::Snapshot& state : saved) {
      EXPECT_GE(state.metadata.step, last);  // the newest is the furthest
      last = state.metadata.step;
      boundaries += is_boundary(state) ? 1 : 0;
      TestRun resumed(world(), precision);
      resumed.checkpoints.resume_from(state);
      expect_same_bits(run(resumed), expected);
    }
    EXPECT_EQ(boundaries, 4);  // before the tuning, and at the start of each solve
  }
}

/// Heard in the tuning, in solves, in those of the cloud to itself: within a pass, and at most two
/// passes are made again.
TEST_F(ProgotResume, goes_on_where_it_was_asked_to_stop) {
  TestRun whole(world());
  const Outcome expected = run(whole);
  const std::int64_t num_passes = whole.stop.num_answers();
  std::int64_t tuning = 0;
  for (std::int64_t answer = 1; answer < num_passes; answer += 4) {
    SCOPED_TRACE(concat("answer ", answer, " of ", num_passes));
    TestRun stopped(world());
    if (world().rank() == world().size() - 1) stopped.stop.ask_at(answer);
    std::int64_t step = -1;
    try {
      run(stopped);
      ADD_FAILURE() << "did not stop";
    } catch (const Stopped& stop) {
      step = stop.step;
    }
    // The last pass of a solve and the first from nothing look at no request.
    EXPECT_LE(stopped.stop.num_answers(), answer + 2);
    EXPECT_EQ(stopped.checkpoints.saved().back().metadata.step, step);
    TestRun resumed(world());
    resumed.checkpoints.resume_from(stopped.checkpoints.saved().back());
    expect_same_bits(run(resumed), expected);
    if (step == 0) {
      tuning = answer;
    } else {
      EXPECT_LE(resumed.stop.num_answers(), num_passes - answer + 3);
    }
  }
  EXPECT_GT(tuning, 2);
}

TEST_F(ProgotResume, refuses_a_state_that_is_not_its_own) {
  TestRun whole(world());
  whole.checkpoints = MemoryCheckpoints(3);
  run(whole);
  checkpoint::Snapshot state = whole.checkpoints.saved().back();
  std::erase_if(state.tensors, [](const auto& tensor) { return tensor.name == "progot.0.g"; });
  TestRun resumed(world());
  resumed.checkpoints.resume_from(state);
  EXPECT_THROW(run(resumed), Error);
}

}  // namespace
}  // namespace kantor::test
