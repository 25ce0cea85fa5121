// What holds for any problem: symmetry, scaling, translation, permutation, absent and repeated
// points, the ends of epsilon; and literal values of other packages' documentation.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include "solvers/sinkhorn/sinkhorn.hpp"
#include "tests/solvers/dense_eot.hpp"
#include "tests/support/world.hpp"

namespace kantor::test {
namespace {

/// A way of solving: marginals held or not, plain updates or not.
struct Way {
  Penalty rho;
  bool has_momentum;
};

class SinkhornProperties : public testing::TestWithParam<Way> {
 protected:
  Outcome solve(Problem problem, double scale = 1) const {
    TestRun run(world());
    rho_of(problem) = {GetParam().rho.x * scale, GetParam().rho.y * scale};
    sinkhorn::SinkhornConfig config;
    config.tolerance = 1e-12;
    config.max_iterations = 20000;
    config.momentum.is_adaptive = GetParam().has_momentum;
    const Outcome result = sinkhorn::solve(config, problem, run.context);
    EXPECT_TRUE(result.converged.value());
    return result;
  }
  /// Values at a scale of their own, potentials too. Both solves end at an error of 1e-12, and the
  /// slowest mode of these problems contracts by no less than .99 an iteration: 1e-10.
  static void expect_same(const Outcome& result, const Outcome& expected, double scale = 1) {
    const double tolerance = 1e-10 * scale;
    EXPECT_NEAR(*result.objective, scale * *expected.objective, tolerance);
    EXPECT_NEAR(*result.transport_cost, scale * *expected.transport_cost, tolerance);
    EXPECT_NEAR(result.dual_value, scale * expected.dual_value, tolerance);
    EXPECT_NEAR(*result.kl, *expected.kl, 1e-9);
    EXPECT_NEAR(result.mass.value_or(1), expected.mass.value_or(1), 1e-9);
  }
  static void expect_potentials(const Outcome& result, const Outcome& expected, double scale = 1) {
    for (std::size_t k = 0; k < 2; ++k) {
      for (std::size_t i = 0; i < expected.potentials[k].size(); ++i) {
        EXPECT_NEAR(result.potentials.at(k).at(i), scale * expected.potentials[k][i], 1e-9 * scale);
      }
    }
  }
};

std::vector<double> mapped(const data::Marginal& marginal, const auto& function) {
  std::vector<double> points = points_of(marginal);
  for (std::size_t i = 0; i < points.size(); ++i) points[i] = function(points[i], i);
  return points;
}

Problem small(const Cost& cost) { return random_problem(cost, .3, {.n = 13, .m = 11, .d = 2}); }

TEST_P(SinkhornProperties, exchange_with_the_marginals) {
  for (const Cost& cost : kAllCosts) {
    SCOPED_TRACE(cost_name(cost.kind));
    const Problem problem = small(cost);
    const Outcome result = solve(problem);
    Problem swapped =
        make_problem(cost, .3, problem.clouds[1].marginal, problem.clouds[0].marginal);
    TestRun run(world());
    rho_of(swapped) = {GetParam().rho.y, GetParam().rho.x};
    sinkhorn::SinkhornConfig config;
    config.tolerance = 1e-12;
    config.max_iterations = 20000;
    const Outcome exchanged = sinkhorn::solve(config, swapped, run.context);
    expect_same(exchanged, result);
    const double shift = result.potentials[0][0] - exchanged.potentials[1][0];  // of the gauge
    if (!rho_of(swapped).is_balanced()) {
      EXPECT_NEAR(shift, 0, 1e-9);
    }
    for (std::size_t i = 0; i < 13; ++i) {
      EXPECT_NEAR(exchanged.potentials[1][i] + shift, result.potentials[0][i], 1e-9);
    }
  }
}

TEST_P(SinkhornProperties, scale_with_cost_and_epsilon) {
  for (const double scale : {1e-6, 4.0, 1e8}) {
    const Problem problem = small({CostKind::sqeuclidean});
    const auto stretch = [&](double value, std::size_t) { return std::sqrt(scale) * value; };
    const Problem scaled = make_problem(problem.cost.kernel, .3 * scale,
                                        make_marginal(mapped(problem.clouds[0].marginal, stretch),
                                                      2, problem.clouds[0].marginal.weights()),
                                        make_marginal(mapped(problem.clouds[1].marginal, stretch),
                                                      2, problem.clouds[1].marginal.weights()));
    const Outcome expected = solve(problem);
    const Outcome result = solve(scaled, scale);
    expect_same(result, expected, scale);
    expect_potentials(result, expected, scale);
  }
}

TEST_P(SinkhornProperties, do_not_see_where_the_origin_is) {
  for (const Cost& cost : kAllCosts) {
    if (cost.kind == CostKind::dot) continue;
    SCOPED_TRACE(cost_name(cost.kind));
    const Problem problem = small(cost);
    const auto move = [](double value, std::size_t i) { return value + (i % 2 == 0 ? 100 : -7); };
    const Problem moved = make_problem(cost, .3,
                                       make_marginal(mapped(problem.clouds[0].marginal, move), 2,
                                                     problem.clouds[0].marginal.weights()),
                                       make_marginal(mapped(problem.clouds[1].marginal, move), 2,
                                                     problem.clouds[1].marginal.weights()));
    const Outcome expected = solve(problem);
    const Outcome result = solve(moved);
    expect_same(result, expected);
    expect_potentials(result, expected);
  }
}

TEST_P(SinkhornProperties, follow_a_permutation) {
  const Problem problem = small({CostKind::euclidean});
  const auto reversed = [](const data::Marginal& marginal) {
    std::vector<std::int64_t> rows(static_cast<std::size_t>(marginal.n()));
    std::iota(rows.rbegin(), rows.rend(), 0);
    std::vector<double> points(rows.size() * 2);
    marginal.read<double>(rows, {}, points.data());
    std::vector<double> weights = marginal.weights();
    std::reverse(weights.begin(), weights.end());
    return make_marginal(points, 2, weights);
  };
  const Outcome expected = solve(problem);
  Outcome result = solve(make_problem(problem.cost.kernel, .3, reversed(problem.clouds[0].marginal),
                                      reversed(problem.clouds[1].marginal)));
  for (auto& potential : result.potentials) std::reverse(potential.begin(), potential.end());
  expect_same(result, expected);
  expect_potentials(result, expected);
}

/// Points whose weights are next to none, down to the smallest number that there is.
TEST_P(SinkhornProperties, do_not_see_points_of_hardly_any_weight) {
  const Problem problem = small({CostKind::sqeuclidean});
  const Outcome expected = solve(problem);
  for (const double weight : {1e-25, 1e-200, 1e-300, 1e-307, 1e-309, 5e-324}) {
    SCOPED_TRACE(weight);
    const auto with_faint_point = [&](const data::Marginal& marginal) {
      std::vector<double> points = points_of(marginal);
      std::vector<double> weights = marginal.weights();
      points.insert(points.end(), {1.5, -.5});
      weights.push_back(weight);
      return make_marginal(points, 2, weights);
    };
    const Outcome result =
        solve(make_problem(problem.cost.kernel, .3, with_faint_point(problem.clouds[0].marginal),
                           with_faint_point(problem.clouds[1].marginal)));
    expect_same(result, expected);
    expect_potentials(result, expected);
    for (const auto& potential : result.potentials) EXPECT_TRUE(std::isfinite(potential.back()));
  }
}

/// A point in two halves, and points of no weight: as if they were one, and none.
TEST_P(SinkhornProperties, sum_the_weights_of_equal_points) {
  for (const Cost& cost : kAllCosts) {
    SCOPED_TRACE(cost_name(cost.kind));
    const Problem problem = small(cost);
    const auto halved = [](const data::Marginal& marginal) {
      std::vector<double> points = points_of(marginal);
      std::vector<double> weights = marginal.weights();
      points.insert(points.end(), {points[0], points[1], 55, -66});
      weights[0] /= 2;
      weights.insert(weights.end(), {weights[0], 0});
      return make_marginal(points, 2, weights);
    };
    const Outcome expected = solve(problem);
    const Outcome result = solve(make_problem(cost, .3, halved(problem.clouds[0].marginal),
                                              halved(problem.clouds[1].marginal)));
    expect_same(result, expected);
    expect_potentials(result, expected);
    EXPECT_NEAR(result.potentials[0][13], result.potentials[0][0], 1e-9);
    EXPECT_TRUE(std::isfinite(result.potentials[0][14]));
  }
}

TEST_P(SinkhornProperties, hold_between_single_and_between_equal_points) {
  for (const Cost& cost : kAllCosts) {
    SCOPED_TRACE(cost_name(cost.kind));
    const std::vector<double> once = {.5, -1};
    const std::vector<double> thrice = {.5, -1, .5, -1, .5, -1};
    const Outcome one =
        solve(make_problem(cost, .3, make_marginal(once, 2), make_marginal({1, 2}, 2)));
    const Outcome same = solve(
        make_problem(cost, .3, make_marginal(thrice, 2), make_marginal({1, 2, 1, 2}, 2, {.9, .1})));
    expect_same(same, one);
    if (GetParam().rho.is_balanced()) {
      EXPECT_LE(same.iterations, 2);
      EXPECT_NEAR(*same.kl, 0, 1e-13);
      EXPECT_NEAR(*same.objective, kernels::cost_between(cost, once, std::vector<double>{1, 2}),
                  1e-13);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Ways, SinkhornProperties,
    testing::Values(Way{{}, false}, Way{{}, true}, Way{{1, 2}, false}, Way{{1, 2}, true},
                    Way{{std::numeric_limits<double>::infinity(), .5}, false}));

Outcome solve_balanced(const Problem& problem, double tolerance, std::int64_t max_iterations) {
  TestRun run(world());
  sinkhorn::SinkhornConfig config;
  config.tolerance = tolerance;
  config.max_iterations = max_iterations;
  return sinkhorn::solve(config, problem, run.context);
}

/// On the line the optimum without epsilon is known: sorted points. With it, it is at most
/// epsilon log n more.
TEST(SinkhornEnds, bracket_the_sorted_matching_at_a_tiny_epsilon) {
  std::vector<double> x = kernels::test::uniform(40, 0, 1, 1);
  std::vector<double> y = kernels::test::uniform(40, .5, 2, 2);
  Problem problem = make_problem({}, 1, make_marginal(x, 1), make_marginal(y, 1));
  std::sort(x.begin(), x.end());
  std::sort(y.begin(), y.end());
  double matching = 0;
  for (std::size_t i = 0; i < 40; ++i) matching += (x[i] - y[i]) * (x[i] - y[i]) / 40;
  for (const double relative : {1e-6, 1e-4}) {
    problem.epsilon = relative * problem.statistics.mean;
    const Outcome result = solve_balanced(problem, 1e-6, 300);
    EXPECT_LE(result.dual_value, matching + problem.epsilon * std::log(40) + 1e-12);
    EXPECT_GE(*result.transport_cost, matching - 1e-12);
    EXPECT_FALSE(*result.converged && *result.objective - result.dual_value > 1e-3 * matching);
  }
}

TEST(SinkhornEnds, count_the_iterations_that_needed_a_second_pass) {
  const Problem problem = make_problem({}, .05, make_marginal({0, .1, .25}, 1),
                                       make_marginal({0, .2, 50}, 1, {.5, .3, .2}));
  EXPECT_EQ(solve_balanced(problem, 1e-9, 30).fallback_iterations, 1);
  EXPECT_EQ(solve_balanced(golden_problem(), 1e-9, 30).fallback_iterations, 0);
}

TEST(SinkhornEnds, need_no_second_pass_for_a_column_of_little_weight) {
  for (const double weight : {1e-30, 1e-100, 1e-280}) {
    const Problem problem = make_problem({}, .05, make_marginal({0, .1, .25}, 1),
                                         make_marginal({0, .2, .3}, 1, {.5 - weight, .5, weight}));
    const Outcome result = solve_balanced(problem, 1e-9, 30);
    EXPECT_EQ(result.fallback_iterations, 0) << weight;
    EXPECT_NEAR(*result.objective, result.dual_value, 1e-9) << weight;
  }
}

TEST(SinkhornEnds, give_the_product_at_a_huge_epsilon) {
  for (const Cost& cost : kAllCosts) {
    Problem problem = small(cost);
    problem.epsilon = 1e3 * std::abs(problem.statistics.mean);
    const Outcome result = solve_balanced(problem, 1e-12, 10);
    EXPECT_TRUE(result.converged.value());
    EXPECT_LT(*result.kl, 1e-5);  // of the order of (spread / epsilon)^2
    EXPECT_NEAR(*result.objective, problem.statistics.mean,
                3e-3 * std::abs(problem.statistics.mean));
    EXPECT_LE(*result.objective, problem.statistics.mean + 1e-12);
  }
}

/// GeomLoss: X = {(0, 0), (0, 2)}, Y = {(2, 1), (2, 2)}, blur^2 = .001: plan diag(.5), 4.501.
TEST(SinkhornLiterature, has_the_value_of_geomlosss_documentation) {
  const Problem problem =
      make_problem({}, .001, make_marginal({0, 0, 0, 2}, 2), make_marginal({2, 1, 2, 2}, 2));
  const Outcome result = solve_balanced(problem, 1e-9, 20000);
  EXPECT_TRUE(result.converged.value());
  EXPECT_NEAR(*result.objective, 4.5 + .001 * std::log(2), 1e-9);
  EXPECT_NEAR(*result.objective, 4.501, 5e-4);
  EXPECT_NEAR(result.shape->diagonal_mass.value(), 1, 1e-9);
}

}  // namespace
}  // namespace kantor::test
