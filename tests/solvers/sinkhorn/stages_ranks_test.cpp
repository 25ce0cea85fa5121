// Under mpirun with 1 to 4 ranks: runs of several solves that are stopped in any of them.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "solvers/sinkhorn/sinkhorn.hpp"
#include "tests/solvers/small_problem.hpp"
#include "tests/support/world.hpp"

namespace kantor::test {
namespace {

const Problem& problem() {
  static const Problem kProblem = random_problem({}, .1, {.n = 45, .m = 38, .d = 2});
  return kProblem;
}

Outcome solve(const sinkhorn::SinkhornConfig& config, TestRun& run) {
  return sinkhorn::solve(config, problem(), run.context);
}

void expect_same_bits(const Outcome& a, const Outcome& b) {
  EXPECT_EQ(a.iterations, b.iterations);
  EXPECT_EQ(a.fallback_iterations, b.fallback_iterations);
  EXPECT_EQ(a.converged, b.converged);
  EXPECT_EQ(*a.objective, *b.objective);
  EXPECT_EQ(a.dual_value, b.dual_value);
  EXPECT_EQ(a.marginal_error, b.marginal_error);
  EXPECT_EQ(a.potentials, b.potentials);
  EXPECT_EQ(a.self_potentials, b.self_potentials);
  ASSERT_EQ(a.divergence.has_value(), b.divergence.has_value());
  if (!a.divergence) return;
  EXPECT_EQ(a.divergence->value, b.divergence->value);
  EXPECT_EQ(a.divergence->lower, b.divergence->lower);
  EXPECT_EQ(a.divergence->upper, b.divergence->upper);
  EXPECT_EQ(a.divergence->iterations, b.divergence->iterations);
}

/// The last rank asks at this answer. @return where the run said it stopped.
std::int64_t stop_at(std::int64_t answer, const sinkhorn::SinkhornConfig& config, TestRun& run) {
  if (world().rank() == world().size() - 1) run.stop.ask_at(answer);
  try {
    solve(config, run);
  } catch (const Stopped& stop) {
    return stop.step;
  }
  ADD_FAILURE() << "did not stop at answer " << answer;
  return -1;
}

sinkhorn::SinkhornConfig with_divergence(const std::string& storage, double weight) {
  sinkhorn::SinkhornConfig config;
  config.tolerance = 1e-7;
  config.divergence = true;
  config.storage = storage;
  config.momentum.weight = weight;
  return config;
}

struct Way {
  const char* precision;
  const char* storage;
  double weight;
  double tolerance;
};

/// A solve that reads a kernel makes a pass again, from the costs, before it believes it.
TEST(StagesRanks, of_a_divergence_are_stopped_within_an_iteration_and_repeat_none) {
  for (const auto& [precision, storage, weight, tolerance] :
       {Way{"float64", "absorbed", 1.3, 1e-7}, Way{"float32", "absorbed16", 1, 1e-4}}) {
    sinkhorn::SinkhornConfig config = with_divergence(storage, weight);
    config.tolerance = tolerance;
    TestRun whole(world(), precision);
    const Outcome expected = solve(config, whole);
    const std::int64_t num_passes = whole.stop.num_answers();
    ASSERT_GT(num_passes, expected.iterations + 10);
    for (std::int64_t answer = 1; answer < num_passes; ++answer) {
      SCOPED_TRACE(
          concat(precision, ", ", storage, ", ", weight, ", answer ", answer, " of ", num_passes));
      TestRun stopped(world(), precision);
      const std::int64_t step = stop_at(answer, config, stopped);
      // The last pass of a solve and the first from nothing look at no request.
      EXPECT_LE(stopped.stop.num_answers(), answer + 1);
      EXPECT_EQ(stopped.checkpoints.saved().back().metadata.step, step);
      TestRun resumed(world(), precision);
      resumed.checkpoints.resume_from(stopped.checkpoints.saved().back());
      expect_same_bits(solve(config, resumed), expected);
      EXPECT_LE(resumed.stop.num_answers(), num_passes - answer + 1);
    }
  }
}

TEST(StagesRanks, of_a_divergence_are_saved_when_one_rank_finds_it_due) {
  const sinkhorn::SinkhornConfig config = with_divergence("absorbed", 1);
  TestRun whole(world());
  whole.checkpoints = MemoryCheckpoints(world().rank() == 0 ? 3 : 0);
  const Outcome expected = solve(config, whole);
  std::int64_t last = -1;
  std::int64_t num_later = 0;
  for (const checkpoint::Snapshot& state : whole.checkpoints.saved()) {
    EXPECT_GT(state.metadata.step, last);  // the newest is the furthest
    last = state.metadata.step;
    num_later += last > expected.iterations ? 1 : 0;
    TestRun resumed(world());
    resumed.checkpoints.resume_from(state);
    expect_same_bits(solve(config, resumed), expected);
  }
  EXPECT_GT(num_later, 3);
}

TEST(StagesRanks, refuse_a_state_that_lacks_what_was_found) {
  const sinkhorn::SinkhornConfig config = with_divergence("auto", 1);
  TestRun whole(world());
  solve(config, whole);
  checkpoint::Snapshot state = whole.checkpoints.saved().back();
  std::erase_if(state.tensors, [](const auto& tensor) { return tensor.name.ends_with(".g"); });
  TestRun resumed(world());
  resumed.checkpoints.resume_from(state);
  EXPECT_THROW(solve(config, resumed), Error);
}

TEST(StagesRanks, are_stopped_in_the_evaluation_and_repeat_nothing_of_the_solve) {
  const Problem wide = problem_in_parts();
  sinkhorn::SinkhornConfig config;
  config.tolerance = 0;
  config.max_iterations = 2;
  config.storage = "streamed";
  TestRun whole(world(), "float32");
  whole.checkpoints = MemoryCheckpoints(world().rank() == 0 ? 1 : 0);
  const Outcome expected = sinkhorn::solve(config, wide, whole.context);
  const std::int64_t num_asked = whole.stop.num_answers();
  const std::int64_t in_evaluation = num_asked - (expected.iterations + 1);  // a pass is one more
  ASSERT_GE(in_evaluation, 2);  // two passes of two parts at least
  const auto is_solved = [](const checkpoint::Snapshot& state) {
    return state.find("stage.sinkhorn.f") != nullptr;
  };
  EXPECT_TRUE(is_solved(whole.checkpoints.saved().back()));  // one rank had found it due
  for (const std::int64_t answer : {num_asked - in_evaluation + 1, num_asked}) {
    TestRun stopped(world(), "float32");
    if (world().rank() == world().size() - 1) stopped.stop.ask_at(answer);
    try {
      sinkhorn::solve(config, wide, stopped.context);
      ADD_FAILURE() << "did not stop";
    } catch (const Stopped& stop) {
      EXPECT_EQ(stop.step, expected.iterations);
    }
    EXPECT_EQ(stopped.stop.num_answers(), answer);
    ASSERT_TRUE(is_solved(stopped.checkpoints.saved().back()));
    TestRun resumed(world(), "float32");
    resumed.checkpoints.resume_from(stopped.checkpoints.saved().back());
    expect_same_bits(sinkhorn::solve(config, wide, resumed.context), expected);
    EXPECT_EQ(resumed.stop.num_answers(), in_evaluation);
  }
}

/// Nothing is worth saving there, but there is a checkpoint: a resumed run begins again.
TEST(StagesRanks, begin_again_when_stopped_in_the_subsample) {
  sinkhorn::SinkhornConfig config;
  config.tolerance = 1e-7;
  config.warm_start = "subsample";
  config.warm_start_points = 20;
  TestRun whole(world());
  const Outcome expected = solve(config, whole);
  for (const std::int64_t answer : {1, 3}) {
    TestRun stopped(world());
    EXPECT_EQ(stop_at(answer, config, stopped), 0);
    EXPECT_LE(stopped.stop.num_answers(), answer + 1);
    ASSERT_EQ(stopped.checkpoints.saved().size(), 1u);
    EXPECT_EQ(stopped.checkpoints.saved().back().metadata.step, 0);
    TestRun resumed(world());
    resumed.checkpoints.resume_from(stopped.checkpoints.saved().back());
    expect_same_bits(solve(config, resumed), expected);
    EXPECT_EQ(resumed.stop.num_answers(), whole.stop.num_answers());
  }
}

}  // namespace
}  // namespace kantor::test
