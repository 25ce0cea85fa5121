#include "solvers/sinkhorn/sinkhorn.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "solvers/eot/gauge.hpp"
#include "solvers/sinkhorn/iteration.hpp"
#include "tests/runtime/config/config_text.hpp"
#include "tests/solvers/dense_eot.hpp"
#include "tests/support/captured_stderr.hpp"
#include "tests/support/thrown.hpp"
#include "tests/support/world.hpp"

namespace kantor::test {
namespace {

Outcome solve(const Problem& problem, double tolerance, std::int64_t max_iterations,
              const std::string& precision = "float64") {
  TestRun run(world(), precision);
  sinkhorn::SinkhornConfig config;
  config.tolerance = tolerance;
  config.max_iterations = max_iterations;
  return sinkhorn::solve(config, problem, run.context);
}

void expect_finite(const Outcome& result) {
  EXPECT_TRUE(std::isfinite(result.objective.value()));
  EXPECT_TRUE(std::isfinite(result.dual_value));
  for (const auto& potential : result.potentials) {
    for (const double value : potential) ASSERT_TRUE(std::isfinite(value));
  }
}

TEST(SinkhornConfig, refuses_bad_values) {
  for (const char* line :
       {"tolerance = -1e-3", "tolerance = nan", "max_iterations = 0", "momentum = 0",
        "momentum = 2.0", "momentum = \"heavy\"", "warm_start_points = 0",
        "epsilon_decay = { start = 0.5 }", "epsilon_decay = { factor = 1 }"}) {
    const std::string key = std::string(line).substr(0, std::string(line).find(' '));
    config::Value resolved{config::Table{}, "", ""};
    const config::Value given = parsed(std::string("[solver.sinkhorn]\n") + line + "\n");
    const std::string message = message_of<ConfigError>(
        [&] { config::read<sinkhorn::SinkhornConfig>(given, "solver.sinkhorn", resolved); });
    EXPECT_NE(message.find("solver.sinkhorn." + key), std::string::npos) << message;
    EXPECT_NE(message.find("problem.toml:2"), std::string::npos) << message;
  }
}

TEST(Sinkhorn, follows_the_dense_iteration_for_every_cost) {
  for (const Cost& cost : kAllCosts) {
    const Problem problem = random_problem(cost, .3, {.n = 23, .m = 17, .d = 3});
    const DenseEot dense(problem);
    for (const int stop : {1, 7}) {
      DenseEot::Pair pair = dense.sinkhorn(stop);
      const double dual = dense.dual_value(pair.f, pair.g);
      const double row_error = DenseEot::l1(dense.rows(dense.plan(pair.f, pair.g)), dense.a);
      fix_gauge(dense.a, pair.f, pair.g);
      const Outcome result = solve(problem, 0, stop);
      // 1e-11: logits are about 10, so that a pair carries 1e-15 and a dozen passes 1e-13.
      EXPECT_NEAR(result.dual_value, dual, 1e-11) << cost_name(cost.kind);
      EXPECT_NEAR(result.marginal_error.at(0), row_error, 1e-11);
      for (std::size_t i = 0; i < dense.n; ++i) {
        EXPECT_NEAR(result.potentials.at(0)[i], pair.f[i], 1e-11) << cost_name(cost.kind);
      }
      for (std::size_t j = 0; j < dense.m; ++j) {
        EXPECT_NEAR(result.potentials.at(1)[j], pair.g[j], 1e-11) << cost_name(cost.kind);
      }
    }
  }
}

TEST(Sinkhorn, gives_points_of_no_weight_a_potential_and_nothing_else) {
  const Problem golden = golden_problem();
  const auto with_zero = [](const data::Marginal& marginal) {
    std::vector<double> points = points_of(marginal);
    std::vector<double> weights = marginal.weights();
    points.insert(points.begin() + 2, {30.0, -40.0});  // far away, between the others
    weights.insert(weights.begin() + 1, 0.0);
    return make_marginal(points, 2, weights);
  };
  const Problem problem = make_problem({}, .1, with_zero(golden.clouds[0].marginal),
                                       with_zero(golden.clouds[1].marginal));
  const Outcome result = solve(problem, 1e-12, 1000);
  expect_finite(result);
  EXPECT_NEAR(*result.objective, 1.969828444541, 1e-11);
  std::vector<double> f = result.potentials.at(0);
  std::vector<double> g = result.potentials.at(1);
  const DenseEot dense(problem);
  EXPECT_NEAR(f[1], dense.to_x(g)[1], 1e-8);  // costs of 2500 carry 1e-12
  EXPECT_NEAR(g[1], dense.to_y(f)[1], 1e-8);
  f.erase(f.begin() + 1);
  g.erase(g.begin() + 1);
  for (std::size_t i = 0; i < f.size(); ++i) {
    EXPECT_NEAR(f[i], kernels::test::kGoldenF[i], 1e-10);
  }
  for (std::size_t j = 0; j < g.size(); ++j) {
    EXPECT_NEAR(g[j], kernels::test::kGoldenG[j], 1e-10);
  }
}

TEST(Sinkhorn, solves_one_point_against_many_at_once) {
  const std::vector<double> y = kernels::test::uniform(6, -1, 1, 3);
  const std::vector<double> b = random_weights(6, 4, 6);
  double mean_cost = 0;
  for (std::size_t j = 0; j < y.size(); ++j) mean_cost += b[j] * (y[j] - .5) * (y[j] - .5);
  for (const bool swapped : {false, true}) {
    data::Marginal point = make_marginal({.5}, 1);
    data::Marginal cloud = make_marginal(y, 1, b);
    const Outcome result =
        solve(swapped ? make_problem({}, .1, cloud, point) : make_problem({}, .1, point, cloud),
              1e-12, 10);
    EXPECT_LE(result.iterations, 2);
    EXPECT_TRUE(result.converged.value());
    EXPECT_NEAR(*result.objective, mean_cost, 1e-14);
    EXPECT_NEAR(*result.kl, 0, 1e-13);
    EXPECT_NEAR(result.dual_value, mean_cost, 1e-14);
  }
}

TEST(Sinkhorn, says_that_it_has_not_converged) {
  EXPECT_FALSE(solve(golden_problem(), 1e-3, 59).converged.value());
  EXPECT_TRUE(solve(golden_problem(), 1e-3, 60).converged.value());
  EXPECT_FALSE(solve(golden_problem(), 0, 300).converged.has_value());  // nothing to reach
}

TEST(Sinkhorn, does_not_reach_a_tolerance_below_its_rounding) {
  const Outcome result = solve(golden_problem(), 1e-10, 3000, "float32");
  EXPECT_FALSE(result.converged.value());
  EXPECT_GT(result.marginal_error.at(0), 1e-9);
  EXPECT_LT(result.marginal_error.at(0), 1e-3);
}

template <class T>
bool is_stalled(const Problem& problem, double tolerance, std::int64_t max_iterations) {
  TestRun run(world());
  ShardedPairs<T> points(pair_of(problem), {}, Storage::streamed, run.context);
  std::vector<double> f, g(static_cast<std::size_t>(points.m()), 0.0);
  return sinkhorn::iterate(
             points, {.tolerance = tolerance, .max_iterations = max_iterations, .momentum = {}}, f,
             g, run.context, "test")
      .is_stalled;
}

/// At the floor of float32 nothing falls; above it, and in double, it does, however slowly.
TEST(Sinkhorn, knows_that_its_error_has_stopped_to_fall) {
  for (const double epsilon : {.1, .02}) {
    const Problem problem = random_problem({}, epsilon, {.n = 60, .m = 50, .d = 2});
    const Outcome coarse = solve(problem, 1e-12, 4000, "float32");
    EXPECT_FALSE(coarse.converged.value());
    EXPECT_EQ(coarse.iterations, 4000);
    ASSERT_EQ(coarse.whole.advice.size(), 1u);
    EXPECT_NE(coarse.whole.advice[0].find("use run.precision"), std::string::npos);
    EXPECT_TRUE(is_stalled<float>(problem, 1e-12, 4000));
    for (const std::int64_t few : {5, 60, 100}) {
      EXPECT_FALSE(is_stalled<float>(problem, 1e-12, few)) << few;
      EXPECT_FALSE(is_stalled<double>(problem, 1e-12, few)) << few;
    }
  }
  EXPECT_FALSE(is_stalled<double>(golden_problem(), 1e-30, 100));
}

/// Clouds 300 apart: the products of a float tile are off by 4e-3, alike in every iteration, so the
/// loop agrees with itself on a plan that is not one.
TEST(Sinkhorn, does_not_believe_a_loop_that_agrees_with_itself_alone) {
  const std::vector<double> y = kernels::test::uniform(20, 299, 301, 2);
  const Problem problem = make_problem(
      {}, 1, make_marginal(kernels::test::uniform(30, -1, 1, 1), 1), make_marginal(y, 1));
  const CapturedStderr captured;
  const Outcome result = solve(problem, 1e-3, 500, "float32");
  EXPECT_LT(result.iterations, 500);  // it took itself for converged
  EXPECT_FALSE(result.converged.value());
  EXPECT_GT(result.marginal_error.at(0), 2e-3);
  EXPECT_NE(captured.text().find("run.precision = \"float64\""), std::string::npos);
  EXPECT_TRUE(solve(problem, 1e-3, 500).converged.value());
}

TEST(Sinkhorn, agrees_in_both_precisions) {
  for (const Cost& cost : kAllCosts) {
    const Problem problem = random_problem(cost, .3, {.n = 40, .m = 30, .d = 4});
    const Outcome fine = solve(problem, 1e-5, 2000);
    const Outcome coarse = solve(problem, 1e-5, 2000, "float32");
    EXPECT_TRUE(coarse.converged.value()) << cost_name(cost.kind);
    // The value is stationary: an L1 error e costs at most e times the spread of the potentials.
    EXPECT_NEAR(coarse.dual_value, fine.dual_value, 1e-5 * 5);
    EXPECT_NEAR(*coarse.objective, *fine.objective, 1e-5 * 5);
  }
}

TEST(Sinkhorn, stays_finite_and_honest_at_any_epsilon) {
  for (const std::string precision : {"float64", "float32"}) {
    for (const Cost& cost : kAllCosts) {
      for (const double scale : {1e-6, 1e-4, 1e-2, 1.0, 1e3}) {
        Problem problem = random_problem(cost, 1, {.n = 24, .m = 18, .d = 2});
        problem.epsilon = scale * std::abs(problem.statistics.mean);
        const Outcome result = solve(problem, 1e-9, 40, precision);
        SCOPED_TRACE(concat(precision, " ", cost_name(cost.kind), " ", scale));
        expect_finite(result);
        // Both sides are taken in double: rounding of exponents, times epsilon.
        const double rounding = 1e-11 * (problem.epsilon + std::abs(problem.statistics.mean));
        EXPECT_LE(result.dual_value, *result.objective + rounding);
        EXPECT_GE(*result.kl, -1e-13);
      }
    }
  }
}

/// Every exponential towards a far point underflows from g = 0: the column sum says nothing.
TEST(SinkhornIteration, survives_columns_that_underflow) {
  TestRun run(world());
  const Problem problem = make_problem({}, .05, make_marginal({0, .1, .25}, 1),
                                       make_marginal({0, .2, 50}, 1, {.5, .3, .2}));
  const DenseEot dense(problem);
  const ShardedPairs<double> sharded(pair_of(problem), {}, Storage::automatic, run.context);
  for (const int stop : {1, 2, 30}) {
    std::vector<double> f;
    std::vector<double> g(3, 0.0);
    const auto report = sinkhorn::iterate(sharded, {0, stop}, f, g, run.context, "test");
    EXPECT_EQ(report.fallbacks, 1);  // from then on g holds the distance
    EXPECT_EQ(report.iterations, stop);
    const DenseEot::Pair pair = dense.sinkhorn(stop);
    for (std::size_t i = 0; i < 3; ++i) {
      EXPECT_NEAR(f[i], pair.f[i], 1e-10);  // costs of 2500 carry 5e-13
      EXPECT_NEAR(g[i], pair.g[i], 1e-10);
    }
  }
}

TEST(SinkhornIteration, ignores_underflow_where_there_is_no_weight) {
  TestRun run(world());
  const Problem problem = make_problem({}, .05, make_marginal({0, .1, .25}, 1),
                                       make_marginal({0, .2, 50}, 1, {.5, .5, 0}));
  const ShardedPairs<double> sharded(pair_of(problem), {}, Storage::automatic, run.context);
  std::vector<double> f;
  std::vector<double> g(3, 0.0);
  EXPECT_EQ(sinkhorn::iterate(sharded, {1e-9, 100}, f, g, run.context, "test").fallbacks, 0);
  EXPECT_TRUE(std::isfinite(g[2]));
}

TEST(SinkhornIteration, measures_a_warm_start_before_it_moves) {
  TestRun run(world());
  const Problem problem = golden_problem();
  const ShardedPairs<double> sharded(pair_of(problem), {}, Storage::automatic, run.context);
  const DenseEot dense(problem);
  DenseEot::Pair pair = dense.sinkhorn(10);
  auto report = sinkhorn::iterate(sharded, {0, 1}, pair.f, pair.g, run.context, "test");
  EXPECT_NEAR(report.first_error, 2.851679939125e-01, 1e-12);
  // A solved pair: no iteration at all.
  pair = dense.sinkhorn(250);
  report = sinkhorn::iterate(sharded, {1e-9, 100}, pair.f, pair.g, run.context, "test");
  EXPECT_EQ(report.iterations, 0);
  EXPECT_TRUE(report.converged);
  EXPECT_LT(report.marginal_error, 1e-12);
}

TEST(SinkhornIteration, stops_with_an_error_where_numbers_end) {
  TestRun run(world());
  const Problem problem = golden_problem();
  const ShardedPairs<double> sharded(pair_of(problem), {}, Storage::automatic, run.context);
  std::vector<double> f;
  std::vector<double> g(6, std::nan(""));
  const std::string message = message_of<NumericError>([&] {
    sinkhorn::iterate(sharded, {1e-9, 100}, f, g, run.context, "test");
  });
  EXPECT_NE(message.find("NaN"), std::string::npos) << message;
}

TEST(Gauge, is_fixed_without_a_change_of_the_dual_value) {
  const DenseEot dense(golden_problem());
  std::vector<double> f = kernels::test::kGoldenF;
  std::vector<double> g = kernels::test::kGoldenG;
  for (double& value : f) value += 7;
  for (double& value : g) value -= 7;
  const double before = dense.dual_value(f, g);
  fix_gauge(dense.a, f, g);
  EXPECT_NEAR(dense.expectation_x(f), 0, 1e-14);
  EXPECT_NEAR(dense.dual_value(f, g), before, 1e-13);
}

}  // namespace
}  // namespace kantor::test
