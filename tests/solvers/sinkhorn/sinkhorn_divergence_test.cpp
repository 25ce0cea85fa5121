// The Sinkhorn divergence: published numbers, bounds, and what a divergence must be.

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "solvers/sinkhorn/divergence.hpp"
#include "solvers/sinkhorn/sinkhorn.hpp"
#include "tests/solvers/dense_eot.hpp"
#include "tests/support/world.hpp"

namespace kantor::test {
namespace {

Outcome solve(const Problem& problem, double tolerance, const std::string& precision = "float64",
              std::int64_t max_iterations = 20000) {
  TestRun run(world(), precision);
  sinkhorn::SinkhornConfig config;
  config.tolerance = tolerance;
  config.max_iterations = max_iterations;
  config.divergence = true;
  return sinkhorn::solve(config, problem, run.context);
}

TEST(DivergenceGolden, has_the_published_value_and_potentials) {
  const Outcome result = solve(golden_problem(), 1e-13);
  ASSERT_TRUE(result.divergence);
  EXPECT_TRUE(result.converged.value());
  EXPECT_NEAR(result.divergence->value, 1.802312263842, 1e-11);
  EXPECT_NEAR(result.divergence->xx, .185484557547, 1e-11);
  EXPECT_NEAR(result.divergence->yy, .149547803851, 1e-11);
  EXPECT_NEAR(result.divergence->lower, result.divergence->value, 1e-11);
  EXPECT_NEAR(result.divergence->upper, result.divergence->value, 1e-11);
  const std::vector<double> xx = {.132705151332, .077459619969, .080126344993, .135074293342,
                                  .100745125829, .079940284820, .131825941493, .077459707198};
  const std::vector<double> yy = {.086558880434, .056235220929, .084729293795,
                                  .068265820947, .105292782775, .073691038288};
  for (std::size_t i = 0; i < xx.size(); ++i) {
    EXPECT_NEAR(result.self_potentials.at(0)[i], xx[i], 1e-11);
  }
  for (std::size_t j = 0; j < yy.size(); ++j) {
    EXPECT_NEAR(result.self_potentials.at(1)[j], yy[j], 1e-11);
  }
}

TEST(Divergence, is_bracketed_wherever_it_stops) {
  for (const std::int64_t stop : {1, 3, 10}) {
    const Outcome result = solve(golden_problem(), 1e-13, "float64", stop);
    EXPECT_FALSE(result.converged.value());
    EXPECT_LT(result.divergence->lower, 1.802312263842);
    EXPECT_GT(result.divergence->upper, 1.802312263842);
  }
}

TEST(Divergence, is_not_converged_before_all_three_are) {
  // One point against many needs one iteration; the cloud against itself does not.
  const Problem problem = make_problem({}, .01, make_marginal({.5}, 1),
                                       make_marginal(kernels::test::uniform(9, -1, 1, 3), 1));
  const Outcome result = solve(problem, 1e-9, "float64", 3);
  EXPECT_LT(result.marginal_error.at(0), 1e-9);
  EXPECT_FALSE(result.converged.value());
  EXPECT_TRUE(solve(problem, 1e-9).converged.value());
}

TEST(Divergence, has_bounds_that_do_not_cross_where_all_gaps_are_closed) {
  constexpr double kUlp = std::numeric_limits<double>::epsilon();
  PlanValue xy;
  xy.objective = 1;
  sinkhorn::SelfTransport self;
  for (const double lead : {-kUlp, 0.0, kUlp}) {  // of a lower bound before an upper one
    xy.dual_value = 1 + lead;
    self.value.objective = .5;
    self.value.dual_value = .5 + lead / 2;
    const sinkhorn::Divergence divergence = sinkhorn::divergence_of(xy, self, self);
    EXPECT_LE(divergence.lower, divergence.value);
    EXPECT_LE(divergence.value, divergence.upper);
  }
}

TEST(Divergence, is_zero_between_equals_and_positive_between_others) {
  for (const Cost& cost : {Cost{CostKind::sqeuclidean}, Cost{CostKind::euclidean}}) {
    for (const double epsilon : {.05, 1.0, 20.0}) {
      Problem problem = random_problem(cost, epsilon, {.n = 23, .m = 23, .d = 2});
      EXPECT_GT(solve(problem, 1e-9).divergence->value, 1e-3);
      problem = make_problem(cost, epsilon, problem.clouds[0].marginal, problem.clouds[0].marginal);
      // The alternating iteration may crawl there: what it leaves stands in lower and upper.
      const Outcome same = solve(problem, 1e-9);
      EXPECT_NEAR(same.divergence->value, 0, 1e-8);
      EXPECT_LE(same.divergence->lower, 1e-13);
      EXPECT_GE(same.divergence->upper, -1e-13);
    }
  }
}

/// Translation by t: S = |t|^2 for sqeuclidean, at any epsilon.
TEST(Divergence, of_a_translation_is_its_square) {
  const std::vector<double> x = kernels::test::uniform(40, -1, 1, 5);
  std::vector<double> y = x;
  for (std::size_t i = 0; i < y.size(); i += 2) y[i] += .7;
  for (const double epsilon : {.1, 1.0, 10.0}) {
    const Problem problem = make_problem({}, epsilon, make_marginal(x, 2), make_marginal(y, 2));
    const Outcome result = solve(problem, 1e-11);
    EXPECT_LE(result.divergence->lower, .49 + 1e-13) << epsilon;
    EXPECT_GE(result.divergence->upper, .49 - 1e-13) << epsilon;
    // At the smallest epsilon the alternating iteration crawls and says so.
    EXPECT_EQ(result.converged.value(), epsilon > .1);
    EXPECT_NEAR(result.divergence->value, .49, epsilon > .1 ? 1e-10 : 1e-6) << epsilon;
  }
}

TEST(Divergence, agrees_in_both_precisions) {
  const Problem problem = random_problem({}, .3, {.n = 40, .m = 30, .d = 4});
  EXPECT_NEAR(solve(problem, 1e-5, "float32").divergence->value,
              solve(problem, 1e-5).divergence->value, 1e-5 * 5);
}

}  // namespace
}  // namespace kantor::test
