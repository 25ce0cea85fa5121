// Under mpirun with 1 to 4 ranks: what one rank computes, and runs that were stopped anywhere.

#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "solvers/egw/neural_egw.hpp"
#include "tests/solvers/egw/egw_problems.hpp"
#include "tests/support/expect_near.hpp"
#include "tests/support/world.hpp"

namespace kantor::test {
namespace {

Problem clouds(const std::string& distortion) {
  return egw_problem(
      distortion, 1.5, make_marginal(kernels::test::uniform(41 * 3, -1, 1.3, 7), 3),
      make_marginal(kernels::test::uniform(37 * 2, -1, 1.2, 8), 2, random_weights(37, 9, 5)));
}

egw::EgwConfig config() {
  egw::EgwConfig config;
  config.tolerance = 1e-8;
  config.starts = 5;
  config.start_points = 20;  // one level below all points
  config.max_steps = 400;
  return config;
}

Result by_sinkhorn(const Problem& problem, TestRun& run, double tolerance) {
  sinkhorn::SinkhornConfig inner;
  inner.tolerance = tolerance;
  egw::EgwConfig precise = config();
  if (run.run.precision == "float32") precise.tolerance = 1e-5;
  return egw::solve(precise, inner, problem, run.context);
}

Result by_network(const Problem& problem, TestRun& run) {
  neural::NeuralConfig training;
  training.training.steps = 36;
  training.training.optimizer.warmup_steps = 5;
  training.batch = 24;
  training.network.width = {8, 8};
  egw::EgwConfig few = config();
  few.tolerance = 1e-3;
  few.potential_steps = 2;
  return egw::solve_neural(few, training, problem, run.context);
}

const std::vector<double>& alignment_of(const Result& result) {
  for (const Array& array : result.arrays) {
    if (array.name == "alignment_matrix") return array.values;
  }
  throw ValueError("no alignment");
}

TEST(EgwRanks, compute_what_one_rank_computes) {
  for (const char* distortion : {"quadratic", "inner_product"}) {
    const Problem problem = clouds(distortion);
    for (const char* precision : {"float64", "float32"}) {
      SCOPED_TRACE(concat(distortion, " ", precision));
      const bool is_double = std::string(precision) == "float64";
      const auto alone = make_self_communicator();
      TestRun one(*alone, precision), many(world(), precision);
      const double tolerance = is_double ? 1e-11 : 1e-5;
      const Result expected = by_sinkhorn(problem, one, tolerance);
      const Result result = by_sinkhorn(problem, many, tolerance);
      const double relative = is_double ? 1e-12 : 1e-5;
      EXPECT_NEAR(*result.objective, *expected.objective, relative * *expected.objective);
      EXPECT_TRUE(*result.converged);
      if (world().rank() != 0) continue;
      expect_near(alignment_of(result), alignment_of(expected), is_double ? 1e-9 : 1e-4);
    }
  }
}

TEST(EgwRanks, train_as_one_rank_does) {
  const Problem problem = clouds("quadratic");
  const auto alone = make_self_communicator();
  TestRun one(*alone), many(world());
  const Result expected = by_network(problem, one);
  const Result result = by_network(problem, many);
  EXPECT_NEAR(result.own.number("learned_value"), expected.own.number("learned_value"), 1e-9);
  if (world().rank() == 0) expect_near(alignment_of(result), alignment_of(expected), 1e-10);
}

/// Stops at every so many answers, and goes on.
template <class Solve>
void expect_resumes_to_the_bit(std::int64_t every, const Solve& solve) {
  TestRun whole(world());
  const Result expected = solve(whole);
  const std::int64_t num_answers = whole.stop.num_answers();
  constexpr std::int64_t kLast = 3;  // answers that come too late to stop anything
  ASSERT_GT(num_answers, every + kLast);
  for (std::int64_t answer = 2; answer < num_answers - kLast; answer += every) {
    SCOPED_TRACE(answer);
    TestRun stopped(world());
    if (world().rank() == world().size() - 1) stopped.stop.ask_at(answer);
    EXPECT_THROW(solve(stopped), Stopped);
    TestRun resumed(world());
    if (!stopped.checkpoints.saved().empty()) {
      resumed.checkpoints.resume_from(stopped.checkpoints.saved().back());
    }
    const Result result = solve(resumed);
    EXPECT_EQ(*result.objective, *expected.objective);
    EXPECT_EQ(result.iterations, expected.iterations);
    if (world().rank() != 0) continue;
    EXPECT_EQ(alignment_of(result), alignment_of(expected));
  }
}

TEST(EgwRanks, go_on_to_the_bit_from_within_any_step_of_the_alignment) {
  const Problem problem = clouds("quadratic");
  expect_resumes_to_the_bit(11, [&](TestRun& run) { return by_sinkhorn(problem, run, 1e-6); });
}

/// Sinkhorn's passes from a checkpoint on.
TEST(EgwRanks, solve_nothing_twice_that_has_ended) {
  const Problem problem = clouds("inner_product");
  egw::EgwConfig several = config();
  several.tolerance = 1e-4;
  several.continued = 2;
  several.debiased = true;
  const auto solve = [&](TestRun& run) {
    sinkhorn::SinkhornConfig inner;
    inner.tolerance = 1e-5;
    return egw::solve(several, inner, problem, run.context);
  };
  TestRun whole(world());
  const Result expected = solve(whole);
  const std::int64_t num_answers = whole.stop.num_answers();
  for (const std::int64_t part : {2, 4, 6, 8, 9}) {
    const std::int64_t answer = num_answers * part / 10;
    SCOPED_TRACE(answer);
    TestRun stopped(world());
    stopped.stop.ask_at(answer);
    EXPECT_THROW(solve(stopped), Stopped);
    TestRun resumed(world());
    resumed.checkpoints.resume_from(stopped.checkpoints.saved().back());
    const Result result = solve(resumed);
    EXPECT_EQ(*result.objective, *expected.objective);
    EXPECT_EQ(result.own.number("debiased.value"), expected.own.number("debiased.value"));
    EXPECT_LE(resumed.stop.num_answers(), num_answers - answer + 4);
  }
}

TEST(EgwRanks, go_on_to_the_bit_from_within_a_training) {
  const Problem problem = clouds("inner_product");
  expect_resumes_to_the_bit(9, [&](TestRun& run) { return by_network(problem, run); });
}

}  // namespace
}  // namespace kantor::test
