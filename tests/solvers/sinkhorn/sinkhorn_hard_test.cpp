// Random hard problems: epsilon from 1e-6 to 1e3 of the mean cost, weights over 12 decades,
// outliers, in every way of solving. A run ends converged, which an evaluation of its own confirms,
// or not.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "solvers/sinkhorn/sinkhorn.hpp"
#include "tests/solvers/dense_eot.hpp"
#include "tests/support/captured_stderr.hpp"
#include "tests/support/world.hpp"

namespace kantor::test {
namespace {

class Dice {
 public:
  explicit Dice(std::uint64_t seed) : engine_(seed) {}
  double between(double low, double high) {
    return low + (high - low) * static_cast<double>(engine_() >> 11) * 0x1p-53;
  }
  double decades(double low, double high) { return std::pow(10, between(low, high)); }
  std::int64_t whole(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(engine_() % static_cast<std::uint64_t>(high - low + 1));
  }
  bool chance(double probability) { return between(0, 1) < probability; }

 private:
  std::mt19937_64 engine_;
};

data::Marginal hard_marginal(Dice& dice, std::int64_t n, std::int64_t d) {
  std::vector<double> points;
  for (std::int64_t i = 0; i < n; ++i) {
    const double size = dice.chance(.1) ? dice.decades(1, 3) : 1;  // an outlier
    const bool is_copy = i > 0 && dice.chance(.1);
    for (std::int64_t k = 0; k < d; ++k) {
      points.push_back(is_copy ? points[points.size() - static_cast<std::size_t>(d)]
                               : size * dice.between(-1, 1));
    }
  }
  std::vector<double> weights;
  const bool is_wild = dice.chance(.6);
  double total = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    weights.push_back(i > 0 && dice.chance(.1) ? 0 : is_wild ? dice.decades(-12, 0) : 1);
    total += weights.back();
  }
  for (double& weight : weights) weight /= total;
  return make_marginal(points, d, weights);
}

Problem hard_problem(Dice& dice) {
  const std::int64_t d = dice.whole(1, 3);
  const Cost cost = kAllCosts[static_cast<std::size_t>(dice.whole(0, 4))];
  Problem problem = make_problem(cost, 1, hard_marginal(dice, dice.whole(1, 12), d),
                                 hard_marginal(dice, dice.whole(1, 12), d));
  const double unit = std::max(std::abs(problem.statistics.mean), 1e-12);
  problem.epsilon = unit * dice.decades(-6, 3);
  if (dice.chance(.25)) rho_of(problem).x = unit * dice.decades(-3, 3);
  if (dice.chance(.25)) rho_of(problem).y = unit * dice.decades(-3, 3);
  return problem;
}

sinkhorn::SinkhornConfig hard_config(Dice& dice, bool is_balanced) {
  sinkhorn::SinkhornConfig config;
  config.tolerance = dice.chance(.5) ? 1e-3 : 1e-6;
  config.max_iterations = 400;
  config.momentum.is_adaptive = dice.chance(.3);
  if (!config.momentum.is_adaptive && dice.chance(.4))
    config.momentum.weight = dice.between(.3, 1.9);
  if (dice.chance(.3)) config.epsilon_decay = sinkhorn::EpsilonDecayConfig{dice.decades(0, 3), .8};
  if (dice.chance(.3)) config.warm_start = "subsample";
  config.warm_start_points = 4;
  config.storage = dice.chance(.5) ? "materialised" : dice.chance(.5) ? "streamed" : "absorbed";
  config.divergence = is_balanced && dice.chance(.2);
  return config;
}

double largest(const std::vector<double>& values) {
  double result = 0;
  for (const double value : values) result = std::max(result, std::abs(value));
  return result;
}

/// Rounding of an exponent (f + g - C) / eps in double: of its terms, and of the squares that a
/// cost is made of.
double rounding(const Problem& problem, const DenseEot& dense, const Outcome& result) {
  double size =
      largest(dense.costs) + largest(result.potentials[0]) + largest(result.potentials[1]);
  for (const Cloud& cloud : problem.clouds) {
    const double coordinate = largest(points_of(cloud.marginal));
    size += 12 * coordinate * coordinate;
  }
  return 16 * std::numeric_limits<double>::epsilon() * size / problem.epsilon;
}

/// What objective and dual value are sums of.
double terms_of(const Problem& problem, const Outcome& result) {
  return std::abs(*result.transport_cost) + problem.epsilon * (1 + std::abs(*result.kl)) +
         result.marginal_penalty.value_or(0);
}

void expect_no_nan(const Outcome& result) {
  EXPECT_FALSE(std::isnan(*result.objective));
  EXPECT_FALSE(std::isnan(*result.transport_cost));
  EXPECT_FALSE(std::isnan(*result.kl));
  EXPECT_FALSE(std::isnan(result.dual_value));
  for (const double error : result.marginal_error) EXPECT_FALSE(std::isnan(error));
  for (const auto& potential : result.potentials) {
    for (const double value : potential) ASSERT_TRUE(std::isfinite(value));
  }
  if (result.divergence) {
    EXPECT_FALSE(std::isnan(result.divergence->value));
  }
}

/// L1 errors of the plan of the potentials, with penalties over its mass, written out.
double dense_error(const Problem& problem, const DenseEot& dense, const Outcome& result) {
  const auto& f = result.potentials[0];
  const auto& g = result.potentials[1];
  const std::vector<double> plan = dense.plan(f, g);
  std::vector<double> rows = dense.a;
  std::vector<double> columns = dense.b;
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i] *= std::exp(-f[i] / rho_of(problem).x);
  for (std::size_t j = 0; j < columns.size(); ++j)
    columns[j] *= std::exp(-g[j] / rho_of(problem).y);
  return std::max(DenseEot::l1(dense.rows(plan), rows),
                  DenseEot::l1(dense.columns(plan), columns)) /
         result.mass.value_or(1);
}

TEST(SinkhornHardProblems, end_converged_or_say_that_they_did_not) {
  const CapturedStderr warnings;  // of float32 runs that agree with themselves alone
  int num_converged = 0;
  int num_confirmed = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE(seed);
    Dice dice(seed);
    const Problem problem = hard_problem(dice);
    const sinkhorn::SinkhornConfig config = hard_config(dice, rho_of(problem).is_balanced());
    TestRun run(world(), dice.chance(.5) ? "float32" : "float64");
    const Outcome result = sinkhorn::solve(config, problem, run.context);
    expect_no_nan(result);
    const DenseEot dense(problem);
    const double lost = rounding(problem, dense, result);
    EXPECT_LE(result.dual_value, *result.objective + (lost + 1e-12) * terms_of(problem, result));
    if (!*result.converged) {
      EXPECT_GT(result.iterations, 0);
      continue;
    }
    ++num_converged;
    // exp of a lost digit: beyond 1 % it says nothing.
    if (lost > .01) continue;
    EXPECT_LE(dense_error(problem, dense, result), 2 * config.tolerance + 4 * lost);
    num_confirmed += 4 * lost < config.tolerance ? 1 : 0;
  }
  EXPECT_GE(num_converged, 100);
  EXPECT_GE(num_confirmed, 90);
}

}  // namespace
}  // namespace kantor::test
