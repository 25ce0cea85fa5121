// Under mpirun with 1 to 4 ranks: training ends where it ends on one rank.

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "tests/solvers/rounding.hpp"
#include "tests/solvers/small_solve.hpp"
#include "tests/support/world.hpp"

namespace kantor::test {
namespace {

neural::NeuralConfig longer() {
  neural::NeuralConfig config = small_network();
  config.training.steps = 200;
  config.batch = 33;  // does not divide
  return config;
}

void expect_same(const Outcome& many, const Outcome& one, double tolerance) {
  const auto near = [&](double actual, double expected) {
    EXPECT_NEAR(actual, expected, tolerance * (1 + std::abs(expected)));
  };
  near(many.dual_value, one.dual_value);
  near(*many.objective, *one.objective);
  near(*many.transport_cost, *one.transport_cost);
  near(*many.kl, *one.kl);
  near(many.certificate->solved_value, one.certificate->solved_value);
  near(many.certificate->relative_gap, one.certificate->relative_gap);
  EXPECT_EQ(many.certificate->iterations, one.certificate->iterations);
  EXPECT_EQ(many.steps, one.steps);
  EXPECT_EQ(many.evaluation_points, one.evaluation_points);
  ASSERT_EQ(many.held_out_dual.has_value(), one.held_out_dual.has_value());
  if (one.held_out_dual) near(*many.held_out_dual, *one.held_out_dual);
  if (world().rank() != 0) {
    EXPECT_TRUE(many.potentials.empty());
    EXPECT_TRUE(many.certificate_potentials.empty());
    return;
  }
  for (std::size_t k = 0; k < 2; ++k) {
    ASSERT_EQ(many.potentials.at(k).size(), one.potentials.at(k).size());
    for (std::size_t i = 0; i < one.potentials[k].size(); ++i) {
      near(many.potentials[k][i], one.potentials[k][i]);
    }
  }
}

TEST(NeuralRanks, end_where_one_rank_ends) {
  const auto alone = make_self_communicator();
  const Problem problem = random_problem({}, .3, {.n = 60, .m = 50, .d = 2, .holdout = .2});
  neural::NeuralConfig config = longer();
  config.certificate_tolerance = 0;  // rounding in float may decide of the last iteration
  config.certificate_iterations = 30;
  // 200 steps of Adam carry the rounding of sums in another order on, as they do that of points.
  const double condition = condition_of(
      problem, [&](const Problem& each) { return solve_neural(config, each, *alone); });
  expect_same(solve_neural(config, problem, world(), "float64"),
              solve_neural(config, problem, *alone, "float64"),
              rounding<double>(problem, condition));
  expect_same(solve_neural(config, problem, world(), "float32"),
              solve_neural(config, problem, *alone, "float32"),
              rounding<float>(problem, condition));
}

/// Heard between two passes over the data; the trained state is there, and only what follows is
/// made again.
TEST(NeuralRanks, are_stopped_within_a_pass_after_the_training) {
  neural::NeuralConfig config = small_network();
  config.training.steps = 20;
  config.certificate_tolerance = 0;
  config.certificate_iterations = 10;
  const Problem problem = random_problem({}, .3, {.n = 60, .m = 50, .d = 2});
  TestRun whole(world());
  const Outcome expected = neural::solve(config, problem, whole.context);
  const std::int64_t num_answers = whole.stop.num_answers();
  ASSERT_GT(num_answers, 20 + 10 + 1);  // two passes at least find the scale
  for (std::int64_t answer = 21; answer < num_answers; ++answer) {
    SCOPED_TRACE(concat("answer ", answer, " of ", num_answers));
    TestRun stopped(world());
    if (world().rank() == world().size() - 1) stopped.stop.ask_at(answer);
    std::int64_t step = -1;
    try {
      neural::solve(config, problem, stopped.context);
      ADD_FAILURE() << "did not stop";
    } catch (const Stopped& stop) {
      step = stop.step;
    }
    EXPECT_EQ(step, 20);
    EXPECT_EQ(stopped.stop.num_answers(), answer);
    EXPECT_EQ(stopped.checkpoints.saved().back().metadata.step, 20);
    TestRun resumed(world());
    resumed.checkpoints.resume_from(stopped.checkpoints.saved().back());
    const Outcome result = neural::solve(config, problem, resumed.context);
    EXPECT_EQ(resumed.stop.num_answers(), num_answers - 20);
    EXPECT_EQ(result.potentials, expected.potentials);
    EXPECT_EQ(*result.objective, *expected.objective);
  }
}

TEST(NeuralRanks, evaluate_the_same_subset) {
  const auto alone = make_self_communicator();
  const Problem problem = random_problem({CostKind::euclidean}, .3, {.n = 60, .m = 50, .d = 2});
  neural::NeuralConfig config = small_network();
  config.evaluation_points = 21;
  expect_same(solve_neural(config, problem, world()), solve_neural(config, problem, *alone), 1e-12);
}

TEST(NeuralRanks, may_outnumber_points_and_samples) {
  const auto alone = make_self_communicator();
  const Problem problem = random_problem({}, .3, {.n = 3, .m = 2, .d = 2});
  neural::NeuralConfig config = small_network();
  config.batch = 2;
  expect_same(solve_neural(config, problem, world()), solve_neural(config, problem, *alone), 1e-12);
}

TEST(NeuralRanks, prove_what_local_negatives_have_learned) {
  const Problem problem = random_problem({}, .3, {.n = 60, .m = 50, .d = 2});
  neural::NeuralConfig config = longer();
  config.negatives = "local";
  const Outcome result = solve_neural(config, problem, world());
  const DenseEot dense(problem);
  const DenseEot::Pair best = dense.sinkhorn(2000);
  const double optimum = dense.dual_value(best.f, best.g);
  EXPECT_LE(result.dual_value, optimum + 1e-12);
  EXPECT_GE(*result.objective, optimum - 1e-12);
  EXPECT_NEAR(result.dual_value, optimum, .05 * optimum);
}

}  // namespace
}  // namespace kantor::test
