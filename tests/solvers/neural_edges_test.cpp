// Problems at the edge: almost no epsilon, weights on few points, a point against itself.

#include <gtest/gtest.h>

#include <cmath>

#include "solvers/neural/neural_eot.hpp"
#include "tests/solvers/small_solve.hpp"
#include "tests/support/world.hpp"

namespace kantor::test {
namespace {

/// A network that training throws far off.
neural::NeuralConfig wild_network(double learning_rate) {
  neural::NeuralConfig config = small_network();
  config.training.steps = 20;
  config.training.learning_rate = learning_rate;
  config.training.warmup_steps = 0;
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

}  // namespace
}  // namespace kantor::test
