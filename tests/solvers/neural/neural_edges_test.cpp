// Problems at the edge: almost no epsilon, weights on few points, a point against itself.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "solvers/eot/sharded_pairs.hpp"
#include "solvers/neural/neural_eot.hpp"
#include "solvers/neural/semi_dual.hpp"
#include "tests/solvers/small_solve.hpp"
#include "tests/support/world.hpp"

namespace kantor::test {
namespace {

/// A network that training throws far off.
neural::NeuralConfig wild_network(double learning_rate) {
  neural::NeuralConfig config = small_network();
  config.training.steps = 20;
  config.training.optimizer.learning_rate = learning_rate;
  config.training.optimizer.warmup_steps = 0;
  config.batch = 4;
  config.certificate_iterations = 0;
  config.network.quadratic = false;
  return config;
}

void expect_rescaling_to_help(neural::NeuralConfig config, const Problem& problem) {
  const double rescaled = solve_neural(config, problem, world()).dual_value;
  config.rescale = false;
  const double trained = solve_neural(config, problem, world()).dual_value;
  config.training.steps = 0;
  const double start = solve_neural(config, problem, world()).dual_value;
  // The maximiser is found to a thousandth.
  const double resolved = 1e-3 * std::abs(trained - start) + 1e-12;
  EXPECT_GE(rescaled, trained - resolved);
  EXPECT_GE(rescaled, start - resolved);
}

TEST(NeuralEdges, rescaling_never_ends_below_the_training_or_its_start) {
  for (const std::int64_t n : {3, 5, 60}) {
    for (const double epsilon : {1e-1, 1e-2, 1e-3}) {
      const Problem problem =
          make_problem({}, epsilon, make_marginal(kernels::test::uniform(n * 2, 0, 2, 11), 2),
                       make_marginal(kernels::test::uniform(n * 2, -.5, 1.5, 13), 2));
      for (const double learning_rate : {.3, 1.0, 3.0}) {
        SCOPED_TRACE(concat("n ", n, ", epsilon ", epsilon, ", rate ", learning_rate));
        expect_rescaling_to_help(wild_network(learning_rate), problem);
      }
    }
  }
}

/// All the mass of the first marginal is on one of 60 points.
Problem point_mass(std::size_t row, double holdout) {
  std::vector<double> weights(60, 0.0);
  weights[row] = 1;
  return make_problem({}, .3,
                      make_marginal(kernels::test::uniform(120, 0, 2, 11), 2, weights, holdout),
                      make_marginal(kernels::test::uniform(100, -.5, 1.5, 13), 2, {}, holdout));
}

TEST(NeuralEdges, an_evaluation_subset_is_of_points_that_have_weight) {
  const Problem problem = point_mass(17, 0);
  neural::NeuralConfig config = small_network();
  config.evaluation_points = 5;
  const Outcome result = solve_neural(config, problem, world());
  EXPECT_EQ(result.evaluation_points, (std::vector<std::int64_t>{1, 5}));
  EXPECT_NEAR(*result.objective, result.dual_value, 1e-12);  // there is one coupling
}

TEST(NeuralEdges, a_held_out_or_a_trained_part_without_mass_is_left_out) {
  const auto is_held_out = [](const Problem& problem, std::size_t row) {
    const auto rows = neural::training_sampler(pair_of(problem), 0, 4).heldout_rows();
    return std::find(rows.begin(), rows.end(), static_cast<std::int64_t>(row)) != rows.end();
  };
  for (const std::size_t row : {3u, 8u, 21u, 34u}) {
    const Problem problem = point_mass(row, .5);
    SCOPED_TRACE(concat("row ", row, is_held_out(problem, row) ? ", held out" : ""));
    const Outcome result = solve_neural(small_network(), problem, world());
    EXPECT_EQ(result.held_out_dual.has_value(), is_held_out(problem, row));
    EXPECT_NEAR(*result.objective, result.dual_value, 1e-12);
  }
}

TEST(NeuralEdges, rescaling_does_not_look_at_held_out_points) {
  const Problem problem = random_problem({}, .1, {.n = 60, .m = 50, .d = 2, .holdout = .95});
  neural::NeuralConfig config = small_network();
  config.evaluation_points = 1;
  const Subset evaluated = evaluation_subset(pair_of(problem), 1, 4);
  const auto heldout = neural::training_sampler(pair_of(problem), 0, 4).heldout_rows();
  ASSERT_TRUE(std::binary_search(heldout.begin(), heldout.end(), evaluated.x.front()));
  const Outcome rescaled = solve_neural(config, problem, world());
  config.rescale = false;
  EXPECT_EQ(rescaled.potentials, solve_neural(config, problem, world()).potentials);
}

TEST(NeuralEdges, nothing_to_prove_is_proven) {
  const Problem problem =
      make_problem({}, .5, make_marginal({.1, .2}, 2), make_marginal({.1, .2}, 2));
  const Outcome result = solve_neural(small_network(), problem, world());
  EXPECT_EQ(*result.objective, 0);
  EXPECT_EQ(result.certificate->relative_gap, 0);  // not 0 / 0
  EXPECT_TRUE(*result.converged);
}

}  // namespace
}  // namespace kantor::test
