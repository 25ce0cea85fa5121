// Marginals that are penalised instead of held: published numbers, optimality by the dense
// formulas.

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "solvers/eot/unbalanced_value.hpp"
#include "solvers/sinkhorn/iteration.hpp"
#include "solvers/sinkhorn/sinkhorn.hpp"
#include "tests/solvers/dense_eot.hpp"
#include "tests/support/thrown.hpp"
#include "tests/support/world.hpp"

namespace kantor::test {
namespace {

constexpr double kInfinite = std::numeric_limits<double>::infinity();

Problem with_penalty(Problem problem, Penalty rho) {
  rho_of(problem) = rho;
  return problem;
}

Outcome solve(const Problem& problem, double tolerance, std::int64_t max_iterations = 20000,
              double weight = 1, const std::string& precision = "float64") {
  TestRun run(world(), precision);
  sinkhorn::SinkhornConfig config;
  config.tolerance = tolerance;
  config.max_iterations = max_iterations;
  config.momentum.weight = weight;
  return sinkhorn::solve(config, problem, run.context);
}

/// The formulas written out. Zero weights stay out.
struct DenseUnbalanced {
  DenseEot dense;
  Penalty rho;

  explicit DenseUnbalanced(const Problem& problem) : dense(problem), rho(rho_of(problem)) {}

  static double divergence(const std::vector<double>& p, const std::vector<double>& q) {
    double sum = 0;
    for (std::size_t k = 0; k < p.size(); ++k) {
      sum += q[k] - p[k] + (p[k] > 0 ? p[k] * std::log(p[k] / q[k]) : 0);
    }
    return sum;
  }
  static double conjugate(const std::vector<double>& weights, const std::vector<double>& potential,
                          double rho) {
    double sum = 0;
    for (std::size_t k = 0; k < weights.size(); ++k) {
      if (weights[k] == 0) continue;
      sum +=
          weights[k] * (std::isinf(rho) ? potential[k] : rho * (1 - std::exp(-potential[k] / rho)));
    }
    return sum;
  }
  double dual(const std::vector<double>& f, const std::vector<double>& g) const {
    double mass = 0;
    for (const double p : dense.plan(f, g)) mass += p;
    return conjugate(dense.a, f, rho.x) + conjugate(dense.b, g, rho.y) - dense.epsilon * (mass - 1);
  }
  double primal(const std::vector<double>& plan) const {
    std::vector<double> product(plan.size());
    for (std::size_t k = 0; k < plan.size(); ++k) {
      product[k] = dense.a[k / dense.m] * dense.b[k % dense.m];
    }
    double value = DenseEot::dot(plan, dense.costs) + dense.epsilon * divergence(plan, product);
    if (!std::isinf(rho.x)) value += rho.x * divergence(dense.rows(plan), dense.a);
    if (!std::isinf(rho.y)) value += rho.y * divergence(dense.columns(plan), dense.b);
    return value;
  }
};

TEST(UnbalancedGolden, reaches_the_published_optimum) {
  for (const double weight : {1.0, 1.3}) {
    const Outcome result = solve(with_penalty(golden_problem(), {1, 1}), 1e-12, 20000, weight);
    EXPECT_TRUE(result.converged.value());
    EXPECT_NEAR(*result.mass, .594482552835, 1e-11);
    EXPECT_NEAR(*result.transport_cost, .332577512311, 1e-11);
    EXPECT_NEAR(*result.objective, .851586639047, 1e-11);
    EXPECT_NEAR(result.dual_value, .851586639047, 1e-11);
    EXPECT_NEAR(*result.objective - .1 * *result.kl, .765188688820, 1e-11);
    const std::vector<double> f = {-.215398423623, -.118369153314, 2.449011363008, 3.592649587067,
                                   1.674548047746, .809736383003,  .297864610075,  -.295199029196};
    const std::vector<double> g = {.098821680907, .477221317935, .445566173531,
                                   .602954862942, .338941119313, .972784795481};
    for (std::size_t i = 0; i < f.size(); ++i) EXPECT_NEAR(result.potentials.at(0)[i], f[i], 1e-10);
    for (std::size_t j = 0; j < g.size(); ++j) EXPECT_NEAR(result.potentials.at(1)[j], g[j], 1e-10);
  }
}

/// POT: sinkhorn_unbalanced and sinkhorn_unbalanced2 with reg = reg_m = 1 of its documentation,
/// whose entropy is relative to a x b.
TEST(UnbalancedGolden, has_the_values_of_pots_documentation) {
  TestRun run(world());
  const Problem problem =
      with_penalty(make_problem({}, 1, make_marginal({0, 1}, 1), make_marginal({0, 1}, 1)), {1, 1});
  const Outcome result = solve(problem, 1e-13);
  const std::vector<double> plan =
      DenseEot(problem).plan(result.potentials.at(0), result.potentials.at(1));
  EXPECT_NEAR(plan[0], .3220536, 5e-8);
  EXPECT_NEAR(plan[1], .1184769, 5e-8);
  EXPECT_NEAR(plan[2], .1184769, 5e-8);
  EXPECT_NEAR(plan[3], .3220536, 5e-8);
}

TEST(Unbalanced, is_optimal_by_the_dense_formulas) {
  for (const Penalty& rho : {Penalty{1, 1}, Penalty{.05, 3}, Penalty{kInfinite, .5},
                             Penalty{.5, kInfinite}, Penalty{100, 100}}) {
    for (const Cost& cost : kAllCosts) {
      const Problem problem =
          with_penalty(random_problem(cost, .1, {.n = 23, .m = 17, .d = 3}), rho);
      SCOPED_TRACE(concat(cost_name(cost.kind), " ", rho.x, " ", rho.y));
      const Outcome result = solve(problem, 1e-11);
      ASSERT_TRUE(result.converged.value());
      const DenseUnbalanced dense(problem);
      const auto& f = result.potentials.at(0);
      const auto& g = result.potentials.at(1);
      // Potentials of about 1 and 2,000 terms carry 1e-14; the error of 1e-11 enters squared.
      EXPECT_NEAR(result.dual_value, dense.dual(f, g), 1e-12);
      EXPECT_NEAR(*result.objective, dense.primal(dense.dense.plan(f, g)), 1e-10);
      EXPECT_NEAR(result.dual_value, *result.objective, 1e-10);
      double entropy = 0;
      for (const double p : dense.dense.plan(f, g)) entropy -= p > 0 ? p * std::log(p) : 0;
      EXPECT_NEAR(result.shape->entropy, entropy, 1e-9);
      EXPECT_LE(result.dual_value, *result.objective + 1e-13);
    }
  }
}

TEST(Unbalanced, brackets_the_optimum_wherever_it_stops) {
  for (const Penalty& rho : {Penalty{1, 1}, Penalty{kInfinite, .5}, Penalty{.5, kInfinite}}) {
    const Problem problem = with_penalty(golden_problem(), rho);
    const double optimum = solve(problem, 1e-13).dual_value;
    for (const double weight : {1.0, 1.3}) {
      for (const std::int64_t stop : {1, 2, 5, 20}) {
        const Outcome result = solve(problem, 1e-13, stop, weight);
        EXPECT_FALSE(result.converged.value());
        EXPECT_LT(result.dual_value, optimum);
        EXPECT_GT(*result.objective, optimum);
        EXPECT_NEAR(*result.objective,
                    *result.transport_cost + .1 * *result.kl + *result.marginal_penalty, 1e-14);
        // The side that is held has its mass.
        if (!rho.is_free()) {
          EXPECT_NEAR(*result.mass, 1, 1e-13);
        }
      }
    }
  }
}

TEST(Unbalanced, reports_the_error_of_its_own_optimality) {
  TestRun run(world());
  const Problem problem = with_penalty(golden_problem(), {1, 2});
  const ShardedPairs<double> sharded(pair_of(problem), {}, Storage::automatic, run.context);
  std::vector<double> f;
  std::vector<double> g(6, 0.0);
  const auto report = sinkhorn::iterate(sharded, {.max_iterations = 4, .momentum = {.weight = 1.2}},
                                        f, g, run.context, "test");
  const DenseEot dense(problem);
  const std::vector<double> plan = dense.plan(f, g);
  std::vector<double> rows = dense.a;
  std::vector<double> columns = dense.b;
  for (std::size_t i = 0; i < f.size(); ++i) rows[i] *= std::exp(-f[i] / 1);
  for (std::size_t j = 0; j < g.size(); ++j) columns[j] *= std::exp(-g[j] / 2);
  const double x_error = DenseEot::l1(dense.rows(plan), rows);
  const double y_error = DenseEot::l1(dense.columns(plan), columns);
  EXPECT_GT(y_error, 1e-3);
  double mass = 0;
  for (const double p : plan) mass += p;
  EXPECT_NEAR(report.marginal_error, (x_error + y_error) / mass, 1e-12);
  const auto value = unbalanced_value(sharded, f, g, run.context);
  EXPECT_NEAR(value.marginal_error.at(0), x_error / mass, 1e-12);
  EXPECT_NEAR(value.marginal_error.at(1), y_error / mass, 1e-12);
}

/// The golden case with all costs raised: its plan times exp(-raise / (epsilon + rho_x + rho_y)).
Problem raised(double raise, const Penalty& rho) {
  Problem problem = with_penalty(golden_problem(), rho);
  std::vector<double> costs = costs_of(problem);
  for (double& cost : costs) cost += raise;
  problem.cost.file = data::memory_rows(costs, problem.n(0), problem.n(1));
  return problem;
}

TEST(Unbalanced, judges_errors_beside_the_mass_of_the_plan) {
  for (const Penalty& rho : {Penalty{1, 1}, Penalty{.5, 2}}) {
    const Outcome plain = solve(raised(0, rho), 1e-10);
    for (const double raise : {-1000.0, -50.0, 100.0, 1000.0}) {
      for (const double weight : {1.0, 1.3}) {
        SCOPED_TRACE(concat(raise, " ", rho.x, " ", weight));
        const Outcome result = solve(raised(raise, rho), 1e-10, 20000, weight);
        EXPECT_TRUE(result.converged.value());
        const double factor = std::exp(-raise / (.1 + rho.x + rho.y));
        // Potentials of 1,000 at epsilon .1 carry 1e-12; each plan its tolerance, thrice or so.
        EXPECT_NEAR(*result.mass / (factor * *plain.mass), 1, 1e-9);
        for (const double error : result.marginal_error) EXPECT_LE(error, 2e-10);
      }
      const Outcome coarse = solve(raised(raise, rho), 1e-3, 20000, 1, "float32");
      EXPECT_TRUE(coarse.converged.value());
      EXPECT_NEAR(*coarse.mass / (std::exp(-raise / (.1 + rho.x + rho.y)) * *plain.mass), 1, 1e-2);
    }
    EXPECT_FALSE(solve(raised(-50, rho), 1e-10, 2).converged.value());
    EXPECT_FALSE(solve(raised(100, rho), 1e-10, 2).converged.value());
  }
}

TEST(Unbalanced, refuses_a_mass_beyond_double) {
  for (const double raise : {-2000.0, 2000.0}) {
    EXPECT_NE(message_of<NumericError>([&] {
                solve(raised(raise, {1, 1}), 1e-6);
              }).find(raise > 0 ? "about exp(-95" : "about exp(95"),
              std::string::npos);
  }
}

/// Published to a potential change of 1e-9 with the shift: 14, 79, 290, 155; without: 15, 97, 822,
/// 7041.
TEST(Unbalanced, is_shifted_to_the_best_of_its_line) {
  EXPECT_LT(solve(with_penalty(golden_problem(), {.1, .1}), 1e-9).iterations, 16);
  EXPECT_LT(solve(with_penalty(golden_problem(), {1, 1}), 1e-9).iterations, 90);
  EXPECT_LT(solve(with_penalty(golden_problem(), {10, 10}), 1e-9).iterations, 340);
  EXPECT_LT(solve(with_penalty(golden_problem(), {100, 100}), 1e-9).iterations, 180);
}

TEST(Unbalanced, tends_to_the_balanced_problem) {
  const Outcome result = solve(with_penalty(golden_problem(), {1e7, 1e7}), 1e-11);
  EXPECT_NEAR(result.dual_value, 1.969828444541, 1e-6);  // the potentials squared / rho
  EXPECT_NEAR(*result.mass, 1, 1e-6);
}

TEST(Unbalanced, agrees_in_both_precisions) {
  const Problem problem = with_penalty(random_problem({}, .3, {.n = 40, .m = 30, .d = 4}), {1, 2});
  const Outcome fine = solve(problem, 1e-5);
  const Outcome coarse = solve(problem, 1e-5, 20000, 1, "float32");
  EXPECT_TRUE(coarse.converged.value());
  EXPECT_NEAR(coarse.dual_value, fine.dual_value, 1e-5 * 5);
}

/// Weights of 0 are points that are not there, but for their potential.
TEST(Unbalanced, gives_points_of_no_weight_a_potential_and_nothing_else) {
  const Problem golden = golden_problem();
  std::vector<double> points = points_of(golden.clouds[1].marginal);
  std::vector<double> weights = golden.clouds[1].marginal.weights();
  points.insert(points.begin() + 2, {3.0, -4.0});
  weights.insert(weights.begin() + 1, 0.0);
  const Problem problem = with_penalty(
      make_problem({}, .1, golden.clouds[0].marginal, make_marginal(points, 2, weights)), {1, 1});
  const Outcome result = solve(problem, 1e-12);
  EXPECT_NEAR(*result.objective, .851586639047, 1e-11);
  const DenseEot dense(problem);
  EXPECT_NEAR(result.potentials.at(1)[1], dense.to_y(result.potentials.at(0))[1] / 1.1, 1e-10);
}

}  // namespace
}  // namespace kantor::test
