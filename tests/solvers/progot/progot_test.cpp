#include "solvers/progot/progot.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "solvers/progot/progot_model.hpp"
#include "solvers/sinkhorn/sinkhorn.hpp"
#include "tests/solvers/progot/dense_progot.hpp"
#include "tests/support/captured_stderr.hpp"
#include "tests/support/expect_near.hpp"
#include "tests/support/thrown.hpp"
#include "tests/support/world.hpp"

namespace kantor::test {
namespace {

const std::vector<Cost> kMappedCosts = {{CostKind::sqeuclidean},
                                        {CostKind::half_sqeuclidean},
                                        {CostKind::dot},
                                        {CostKind::pnorm, 1.5},
                                        {CostKind::pnorm, 3}};

Outcome solve(const Problem& problem, const progot::ProgotConfig& config, double tolerance,
              const std::string& precision = "float64", std::int64_t max_iterations = 10000) {
  TestRun run(world(), precision);
  sinkhorn::SinkhornConfig solves;
  solves.tolerance = tolerance;
  solves.max_iterations = max_iterations;
  return progot::solve(config, solves, problem, run.context);
}

std::vector<double> transported(const Outcome& result, const Problem& problem,
                                const std::vector<double>& points) {
  ThreadPool pool(1);
  const auto model = progot::restore_model(result.model, result.tensors, pair_of(problem));
  return progot::transport(model, pair_of(problem), points, pool).map;
}

/// Weights with zeros, n != m, a relative epsilon of each step's weighted cost.
Problem weighted_problem(const Cost& cost, const std::string& relative) {
  Problem problem = random_problem(cost, 1, {.n = 23, .m = 17, .d = 3});
  problem.rule = {.value = 0, .relative = relative, .scale = .2};
  return problem;
}

/// Epsilon relative to the costs under the product of the weights, by the definition.
double relative_epsilon(const EpsilonConfig& rule, const Problem& problem) {
  const DenseEot dense(problem);
  double mean = 0;
  double square = 0;
  for (std::size_t k = 0; k < dense.costs.size(); ++k) {
    const double mass = dense.a[k / dense.m] * dense.b[k % dense.m];
    mean += mass * dense.costs[k];
    square += mass * dense.costs[k] * dense.costs[k];
  }
  return rule.scale * (rule.relative == "std" ? std::sqrt(square - mean * mean) : mean);
}

void expect_dense(const Problem& given, bool is_debiased) {
  Problem problem = given;
  problem.epsilon = relative_epsilon(problem.rule, problem);
  progot::ProgotConfig config;
  config.steps = 3;
  config.first_tolerance = 0;
  config.debiased = is_debiased;
  const Outcome result = solve(problem, config, 1e-13);
  const DenseProgot dense{
      .alphas = {1. / 3, 1. / 2, 1},
      .tolerances = {1e-13, 1e-13, 1e-13},
      .epsilon_of = [&](std::size_t,
                        const Problem& step) { return relative_epsilon(problem.rule, step); },
      .is_debiased = is_debiased};
  const std::vector<DenseProgot::Step> steps = dense.run(problem);

  // 1e-10: potentials of tolerance 1e-13 over weights of .01, three steps on top of each other.
  constexpr double kTolerance = 1e-10;
  ASSERT_EQ(result.epsilons.size(), 3u);
  for (std::size_t k = 0; k < 3; ++k) {
    EXPECT_NEAR(result.epsilons[k], steps[k].problem.epsilon, kTolerance);
    const std::vector<double>& g = result.tensors.at(0).values;  // [K, M]
    expect_near({g.begin() + static_cast<std::ptrdiff_t>(k * 17),
                 g.begin() + static_cast<std::ptrdiff_t>((k + 1) * 17)},
                steps[k].g, kTolerance);
  }
  const DenseProgot::Step& last = steps.back();
  expect_near(result.points, points_of(last.problem.clouds[0].marginal), kTolerance);
  expect_near(result.potentials.at(0), last.f, kTolerance);
  expect_near(result.potentials.at(1), last.g, kTolerance);

  // The last plan, at the costs of the points as they were given.
  const DenseEot moved(last.problem);
  const DenseEot original(problem);
  const std::vector<double> plan = moved.plan(last.f, last.g);
  EXPECT_NEAR(*result.transport_cost, original.totals(plan).transport_cost, kTolerance);
  EXPECT_NEAR(*result.kl, moved.totals(plan).kl, kTolerance);
  EXPECT_NEAR(*result.objective, original.totals(plan).objective, kTolerance);
  EXPECT_NEAR(result.last_step->transport_cost, moved.totals(plan).transport_cost, kTolerance);
  EXPECT_NEAR(result.last_step->objective, moved.totals(plan).objective, kTolerance);
  EXPECT_NEAR(result.last_step->dual_value, moved.totals(plan).objective, kTolerance);
  const std::vector<double> first = steps.front().g;
  EXPECT_NEAR(result.dual_value,
              original.expectation_x(original.to_x(first)) + original.expectation_y(first),
              kTolerance);
  double entropy = 0;
  for (const double p : plan) entropy -= p > 0 ? p * std::log(p) : 0;
  EXPECT_NEAR(result.shape->entropy, entropy, kTolerance);

  const std::vector<double> unseen = kernels::test::uniform(4 * 3, 0, 2, 5);
  expect_near(transported(result, problem, unseen), dense.transport(steps, unseen), kTolerance);
}

TEST(Progot, follows_the_dense_recursion_for_every_cost_with_a_map) {
  for (const Cost& cost : kMappedCosts) {
    SCOPED_TRACE(concat(cost_name(cost.kind), " ", cost.p));
    expect_dense(weighted_problem(cost, cost.kind == CostKind::dot ? "std" : "mean"), false);
  }
}

TEST(Progot, takes_epsilon_relative_to_the_standard_deviation_of_each_steps_cost) {
  for (const Cost& cost : {Cost{CostKind::half_sqeuclidean}, Cost{CostKind::pnorm, 1.5}}) {
    expect_dense(weighted_problem(cost, "std"), false);
  }
}

TEST(Progot, debiased_follows_the_dense_recursion) {
  for (const Cost& cost : {Cost{CostKind::sqeuclidean}, Cost{CostKind::pnorm, 1.5}}) {
    SCOPED_TRACE(cost_name(cost.kind));
    expect_dense(weighted_problem(cost, "mean"), true);
  }
}

/// Between quadratic costs of one plan nothing but the unit differs, and for `dot` what a start
/// from 0 means: from the second solve on, the warm starts are the same.
TEST(Progot, takes_the_same_course_for_costs_of_the_same_plan) {
  progot::ProgotConfig config;
  config.steps = 3;
  config.first_tolerance = 1e-9;
  const auto solved = [&](CostKind cost) {
    config.epsilons = {.3, .2, .1};
    for (double& epsilon : config.epsilons) epsilon *= cost == CostKind::sqeuclidean ? 2 : 1;
    return solve(random_problem({cost}, .3, {.n = 23, .m = 17, .d = 3}), config, 1e-9);
  };
  const Outcome half = solved(CostKind::half_sqeuclidean);
  const Outcome whole = solved(CostKind::sqeuclidean);
  EXPECT_EQ(whole.iterations_per_step, half.iterations_per_step);
  expect_near(whole.points, half.points, 1e-12);
  EXPECT_NEAR(whole.shape->entropy, half.shape->entropy, 1e-12);
  const Outcome dot = solved(CostKind::dot);
  EXPECT_EQ(dot.iterations_per_step.at(1), half.iterations_per_step.at(1));
  EXPECT_EQ(dot.iterations_per_step.at(2), half.iterations_per_step.at(2));
  expect_near(dot.points, half.points, 1e-7);  // 1e-9 over weights of .01
  EXPECT_NEAR(dot.shape->entropy, half.shape->entropy, 1e-6);
}

TEST(Progot, starts_a_step_where_the_one_before_has_led) {
  for (const Cost& cost : kMappedCosts) {
    Problem problem = random_problem(cost, 1, {.n = 60, .m = 50, .d = 4});
    problem.rule = {.value = 0, .relative = "std", .scale = .05};
    problem.epsilon = relative_epsilon(problem.rule, problem);
    progot::ProgotConfig config;
    const Outcome warm = solve(problem, config, 1e-3);
    DenseProgot dense{.alphas = progot::step_lengths(config),
                      .tolerances = progot::step_tolerances(config, 1e-3),
                      .epsilon_of = [&](std::size_t k, const Problem&) { return warm.epsilons[k]; },
                      .is_warm = false};
    std::int64_t cold = 0;
    for (const DenseProgot::Step& step : dense.run(problem)) cold += step.iterations;
    EXPECT_LT(warm.iterations, cold) << cost_name(cost.kind) << " " << cost.p;
  }
}

/// y = A x with A positive definite: no other coupling is as good as the identity, for
/// |x - y|^2 / 2 (a gradient of a convex function), whatever the sample.
TEST(Progot, finds_the_identity_under_a_positive_definite_map) {
  // A grid of spacing 1 with some noise: with neighbours swapped, a pair costs .3 more.
  std::vector<double> x = kernels::test::uniform(2 * 49, -.1, .1, 7);
  std::vector<double> y(x.size());
  for (std::size_t i = 0; i < x.size(); i += 2) {
    x[i] += static_cast<double>(i / 2 % 7);
    x[i + 1] += static_cast<double>(i / 14);
    y[i] = .8 * x[i] + .2 * x[i + 1] + 3;
    y[i + 1] = .2 * x[i] + .5 * x[i + 1] - 1;
  }
  const Problem problem =
      make_problem({CostKind::half_sqeuclidean}, .02, make_marginal(x, 2), make_marginal(y, 2));
  const Outcome result = solve(problem, {}, 1e-3);
  EXPECT_TRUE(result.converged.value());
  EXPECT_GT(result.shape->diagonal_mass.value(), .99);
  EXPECT_LT(result.shape->identity_kl.value(), .02);
  EXPECT_LT(result.shape->normalised_entropy.value(), .02);
  double identity_cost = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    identity_cost += (x[i] - y[i]) * (x[i] - y[i]) / 2 / 49;
  }
  EXPECT_NEAR(*result.transport_cost, identity_cost, 1e-3 * identity_cost);
  EXPECT_GE(*result.transport_cost, identity_cost - 1e-12);

  // The other way round the identity is no optimum.
  std::vector<double> turned = y;
  for (std::size_t i = 0; i < y.size(); i += 2) {
    turned[i] = y[i + 1];
    turned[i + 1] = -y[i];
  }
  const Problem other =
      make_problem(problem.cost.kernel, .01, make_marginal(x, 2), make_marginal(turned, 2));
  EXPECT_LT(solve(other, {}, 1e-3).shape->diagonal_mass.value(), .5);
}

TEST(Progot, brackets_the_optimum_wherever_it_stops) {
  const Problem problem = golden_problem();
  for (const std::int64_t stop : {1, 3, 20}) {
    for (const std::int64_t steps : {1, 2, 5}) {
      progot::ProgotConfig config;
      config.steps = steps;
      const Outcome result = solve(problem, config, 1e-9, "float64", stop);
      EXPECT_FALSE(result.converged.value());
      EXPECT_LE(result.dual_value, 1.969828444541 + 1e-11);
      EXPECT_GE(*result.objective, 1.969828444541 - 1e-11);
      EXPECT_LE(result.last_step->dual_value, result.last_step->objective);
    }
  }
}

TEST(Progot, says_which_step_has_not_converged) {
  progot::ProgotConfig config;
  config.first_tolerance = 1e-6;  // 86 iterations and more from nothing
  config.steps = 2;
  const Outcome result = solve(golden_problem(), config, 1e-1, "float64", 5);
  EXPECT_EQ(result.converged_per_step, (std::vector<bool>{false, false}));
  EXPECT_FALSE(result.converged.value());
  // A first step that fell short is enough.
  config.alphas = {1e-3, 1};
  config.first_tolerance = .28;  // it is .2852 after ten
  const Outcome lame = solve(golden_problem(), config, .25, "float64", 10);
  EXPECT_EQ(lame.iterations_per_step.at(0), 10);
  EXPECT_EQ(lame.converged_per_step, (std::vector<bool>{false, true}));
  EXPECT_FALSE(lame.converged.value());
  // Nothing to reach.
  const Outcome endless = solve(golden_problem(), {}, 0, "float64", 5);
  EXPECT_FALSE(endless.converged.has_value());
  EXPECT_TRUE(endless.converged_per_step.empty());
}

TEST(Progot, agrees_in_both_precisions) {
  for (const Cost& cost : kMappedCosts) {
    const Problem problem = random_problem(cost, .3, {.n = 40, .m = 30, .d = 4});
    const Outcome fine = solve(problem, {}, 1e-5);
    const Outcome coarse = solve(problem, {}, 1e-5, "float32");
    SCOPED_TRACE(concat(cost_name(cost.kind), " ", cost.p));
    EXPECT_TRUE(coarse.converged.value());
    expect_near(coarse.points, fine.points, 1e-4);
    // An L1 error e costs at most e times the spread of the costs, which is below 30.
    EXPECT_NEAR(*coarse.objective, *fine.objective, 3e-4);
    EXPECT_NEAR(coarse.dual_value, fine.dual_value, 3e-4);
  }
}

TEST(Progot, does_not_move_points_of_no_weight_away_from_the_others) {
  const Problem problem = random_problem({}, .3, {.n = 23, .m = 17, .d = 3});
  const Outcome result = solve(problem, {}, 1e-8);
  for (const double value : result.points) EXPECT_TRUE(std::isfinite(value));
  for (const auto& potential : result.potentials) {
    for (const double value : potential) EXPECT_TRUE(std::isfinite(value));
  }
}

TEST(Progot, refuses_a_cost_without_a_map) {
  const auto problem = golden_problem({CostKind::euclidean});
  EXPECT_NE(message_of<ValueError>([&] { solve(problem, {}, 1e-3); }).find("entropic map"),
            std::string::npos);
}

TEST(Progot, refuses_an_epsilon_relative_to_nothing) {
  Problem problem = make_problem({}, .1, make_marginal({0, 1, 2, 3}, 1), make_marginal({1, 1}, 1));
  problem.rule = {.value = 0, .relative = "mean", .scale = .05};
  progot::ProgotConfig config;
  config.steps = 2;
  config.alphas = {1, 1};  // the first step puts every point on the target's one
  const std::string message = message_of<ConfigError>([&] { solve(problem, config, 1e-3); });
  EXPECT_NE(message.find("relative to the mean of the cost, which is 0 in step 2 of 2"),
            std::string::npos)
      << message;
}

TEST(ProgotTuning, ends_at_the_scale_that_maps_the_target_to_itself_best) {
  const Problem problem = random_problem({}, .3, {.n = 40, .m = 60, .d = 2});
  progot::ProgotConfig config;
  config.epsilon_schedule = "tuned";
  config.tuning.points = 0;
  // The mean cost of the target to itself, by the definition.
  const DenseEot target(
      make_problem(problem.cost.kernel, 1, problem.clouds[1].marginal, problem.clouds[1].marginal));
  double mean = 0;
  for (std::size_t k = 0; k < target.costs.size(); ++k) {
    mean += target.a[k / target.m] * target.b[k % target.m] * target.costs[k];
  }
  for (const std::vector<double>& scales :
       {std::vector<double>{.125, 20}, std::vector<double>{20, .125}}) {
    config.tuning.scales = scales;  // far too large an epsilon maps all to the mean
    const Outcome result = solve(problem, config, 1e-3);
    EXPECT_NEAR(result.epsilons.back(), .125 * .05 * mean, 1e-12);
    // t = 1/4 at the first of four solves.
    EXPECT_NEAR(result.epsilons.front(),
                .75 * 5 * .05 * problem.statistics.mean + .25 * .125 * .05 * mean, 1e-12);
  }
}

TEST(ProgotTuning, refuses_a_target_of_one_point) {
  progot::ProgotConfig config;
  config.epsilon_schedule = "tuned";
  const Problem problem = make_problem({}, .1, make_marginal({0, 1}, 1), make_marginal({1}, 1));
  EXPECT_NE(message_of<ConfigError>([&] { solve(problem, config, 1e-3); }).find("two points"),
            std::string::npos);
}

}  // namespace
}  // namespace kantor::test
