#include "solvers/neural/neural_eot.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "solvers/eot/sharded_pairs.hpp"
#include "solvers/neural/semi_dual.hpp"
#include "tests/solvers/small_solve.hpp"
#include "tests/support/tolerance.hpp"
#include "tests/support/world.hpp"

namespace kantor::test {
namespace {

/// What holds for every certificate.
void expect_consistent(const Outcome& result, const Problem& problem) {
  ASSERT_TRUE(result.certificate);
  const Outcome::Certificate& proof = *result.certificate;
  EXPECT_EQ(proof.dual_value, result.dual_value);
  EXPECT_EQ(proof.upper_value, result.objective.value());
  EXPECT_LE(proof.dual_value, proof.solved_value + 1e-9);
  EXPECT_LE(proof.solved_value, proof.upper_value + 1e-12);
  EXPECT_EQ(proof.relative_gap,
            (proof.upper_value - proof.dual_value) / std::abs(proof.upper_value));
  EXPECT_EQ(proof.gap_nats, (proof.upper_value - proof.dual_value) / problem.epsilon);
  EXPECT_NEAR(*result.objective, *result.transport_cost + problem.epsilon * *result.kl, 1e-12);
  ASSERT_EQ(proof.marginal_error.size(), 2u);
  ASSERT_EQ(result.marginal_error.size(), 2u);
  EXPECT_EQ(result.marginal_error[1], 0);
  EXPECT_EQ(result.skipped_steps, 0);
}

/// The defined values from the exported potentials, over all points.
void expect_values_of_potentials(const Outcome& result, const Problem& problem, double tolerance) {
  const DenseEot dense(problem);
  const std::vector<double>& f = result.potentials.at(0);
  const std::vector<double>& g = result.potentials.at(1);
  EXPECT_NEAR(dense.expectation_x(f), 0, 1e-12);
  EXPECT_NEAR(result.dual_value, dense.semi_dual(f), tolerance);
  const std::vector<double> transform = dense.to_y(f);
  for (std::size_t j = 0; j < g.size(); ++j) EXPECT_NEAR(g[j], transform[j], tolerance);
  EXPECT_NEAR(result.marginal_error[0], DenseEot::l1(dense.rows(dense.plan(f, g)), dense.a),
              tolerance);
  const std::vector<double>& solved_f = result.certificate_potentials.at(0);
  const std::vector<double>& solved_g = result.certificate_potentials.at(1);
  EXPECT_NEAR(dense.expectation_x(solved_f), 0, 1e-12);
  EXPECT_NEAR(result.certificate->solved_value, dense.dual_value(solved_f, solved_g), tolerance);
}

/// What training draws from.
std::vector<std::int64_t> drawn_rows(const Problem& problem, std::size_t marginal) {
  const auto heldout = neural::training_sampler(pair_of(problem), marginal, 4).heldout_rows();
  std::vector<std::int64_t> rows;
  for (std::int64_t row = 0; row < problem.n(marginal); ++row) {
    if (!std::binary_search(heldout.begin(), heldout.end(), row)) rows.push_back(row);
  }
  return rows;
}

TEST(NeuralEot, brackets_the_closed_form_of_gaussians) {
  struct Row {
    double epsilon, value;
  };
  for (const Row& row : {Row{2, 2.1652667307}, Row{1, 1.8159956050}}) {
    const Problem problem = make_problem({}, row.epsilon, gaussian_grid({.3}, {.8}, .3),
                                         gaussian_grid({-.5}, {1.3}, .3));
    const Outcome result = solve_neural(small_network(), problem, world());
    expect_consistent(result, problem);
    EXPECT_LE(result.dual_value, row.value + 1e-10);
    EXPECT_GE(*result.objective, row.value - 1e-10);
    // It starts at the optimum; training on batches of 32 moves it by little.
    EXPECT_NEAR(result.dual_value, row.value, .02 * row.value);
    EXPECT_NEAR(*result.objective, row.value, 1e-4);
    EXPECT_TRUE(result.converged.has_value());
  }
}

TEST(NeuralEot, is_exact_for_gaussians_before_it_learns_anything) {
  const Problem problem = make_problem(
      {}, 1, gaussian_grid({.2, -.1}, {1, 0, .4, std::sqrt(.5 - .16)}, .5),
      gaussian_grid({-.3, .4}, {std::sqrt(.6), 0, -.2 / std::sqrt(.6), std::sqrt(.9 - .04 / .6)},
                    .5));
  neural::NeuralConfig config = small_network();
  config.training.steps = 0;
  const Outcome result = solve_neural(config, problem, world());
  EXPECT_EQ(result.steps, 0);
  EXPECT_NEAR(result.dual_value, 2.3270294119, 5.1e-11);
  EXPECT_NEAR(*result.objective, 2.3270294119, 5.1e-11);
  EXPECT_LT(result.certificate->relative_gap, 1e-10);
  EXPECT_TRUE(result.converged.value());
}

TEST(NeuralEot, learns_without_the_closed_form) {
  const Problem problem = random_problem({}, .3, {.n = 60, .m = 50, .d = 2});
  neural::NeuralConfig config = small_network();
  config.network.quadratic = false;
  const auto gap = [&](std::int64_t steps) {
    config.training.steps = steps;
    const Outcome result = solve_neural(config, problem, world());
    expect_consistent(result, problem);
    return result.certificate->gap_nats;
  };
  EXPECT_LT(gap(300), gap(0) / 4);
}

TEST(NeuralEot, reports_the_values_it_defines_for_every_cost) {
  for (const Cost& cost : kAllCosts) {
    SCOPED_TRACE(cost_name(cost.kind));
    const Problem problem = random_problem(cost, .3, {.n = 60, .m = 50, .d = 2});  // with weights
    const Outcome result = solve_neural(small_network(), problem, world());
    expect_consistent(result, problem);
    expect_values_of_potentials(result, problem, 1e-12);
    // The certificate converges: both sides close in on the optimum.
    const DenseEot dense(problem);
    const DenseEot::Pair best = dense.sinkhorn(2000);
    const double optimum = dense.dual_value(best.f, best.g);
    EXPECT_LE(result.dual_value, optimum + 1e-12);
    EXPECT_NEAR(result.certificate->solved_value, optimum, 1e-4);
    EXPECT_NEAR(result.certificate->upper_value, optimum, 1e-3);
  }
}

TEST(NeuralEot, reports_in_double_what_it_learned_in_single_precision) {
  const Problem problem = random_problem({}, .3, {.n = 60, .m = 50, .d = 2});
  const Outcome result = solve_neural(small_network(), problem, world(), "float32");
  expect_consistent(result, problem);
  // The marginal error is taken in float, from logits of up to 12.5 / .3.
  expect_values_of_potentials(result, problem, tol<float>(1) * 12.5 / .3);
  const DenseEot dense(problem);
  EXPECT_NEAR(result.dual_value, dense.semi_dual(result.potentials.at(0)), 1e-12);
}

TEST(NeuralEot, converges_by_its_gap) {
  const Problem problem = random_problem({}, .3, {.n = 60, .m = 50, .d = 2});
  neural::NeuralConfig config = small_network();
  config.training.steps = 5;
  config.gap_tolerance = 1e-9;
  EXPECT_FALSE(solve_neural(config, problem, world()).converged.value());
  config.gap_tolerance = 10;
  EXPECT_TRUE(solve_neural(config, problem, world()).converged.value());
}

TEST(NeuralEot, stops_the_certificate_at_its_limits) {
  const Problem problem = random_problem({}, .3, {.n = 60, .m = 50, .d = 2});
  neural::NeuralConfig config = small_network();
  config.training.steps = 5;
  config.certificate_tolerance = 0;
  config.certificate_iterations = 3;
  const Outcome limited = solve_neural(config, problem, world());
  EXPECT_EQ(limited.certificate->iterations, 3);
  expect_consistent(limited, problem);
  config.certificate_tolerance = 1e-3;
  config.certificate_iterations = 1000;
  const Outcome reached = solve_neural(config, problem, world());
  EXPECT_LT(reached.certificate->iterations, 1000);
  EXPECT_LE(reached.certificate->marginal_error[0], 1e-3);
}

TEST(NeuralEot, leaves_out_what_no_certificate_has_shown) {
  const Problem problem = random_problem({}, .3, {.n = 60, .m = 50, .d = 2});
  neural::NeuralConfig config = small_network();
  config.certificate_iterations = 0;
  const Outcome result = solve_neural(config, problem, world());
  EXPECT_FALSE(result.certificate);
  EXPECT_FALSE(result.objective);
  EXPECT_FALSE(result.transport_cost);
  EXPECT_FALSE(result.kl);
  EXPECT_FALSE(result.converged);
  EXPECT_TRUE(result.certificate_potentials.empty());
  EXPECT_NEAR(result.dual_value, DenseEot(problem).semi_dual(result.potentials.at(0)), 1e-12);
}

TEST(NeuralEot, takes_its_values_on_a_subset_and_exports_all_points) {
  const Problem problem = random_problem({}, .3, {.n = 60, .m = 50, .d = 2});
  neural::NeuralConfig config = small_network();
  config.evaluation_points = 20;
  const Outcome result = solve_neural(config, problem, world());
  EXPECT_EQ(result.evaluation_points, (std::vector<std::int64_t>{20, 20}));
  expect_consistent(result, problem);

  const Subset subset = evaluation_subset(pair_of(problem), 20, 4);
  const DenseEot dense(restricted(problem, subset.x, subset.y));
  const std::vector<double>& f = result.potentials.at(0);
  ASSERT_EQ(f.size(), 60u);
  std::vector<double> chosen;
  for (const std::int64_t row : subset.x) chosen.push_back(f[static_cast<std::size_t>(row)]);
  EXPECT_NEAR(result.dual_value, dense.semi_dual(chosen), 1e-12);
  EXPECT_EQ(result.certificate_potentials.at(0).size(), 20u);
  EXPECT_NEAR(result.certificate->solved_value,
              dense.dual_value(result.certificate_potentials[0], result.certificate_potentials[1]),
              1e-12);
  // g at all y, as the transform over the evaluated x.
  const std::vector<double> g = DenseEot(restricted(problem, subset.x, {})).to_y(chosen);
  ASSERT_EQ(result.potentials.at(1).size(), 50u);
  for (std::size_t j = 0; j < g.size(); ++j) EXPECT_NEAR(result.potentials[1][j], g[j], 1e-12);

  config.evaluation_points = 55;  // all of y; of x those 48 of 60 that have weight
  EXPECT_EQ(solve_neural(config, problem, world()).evaluation_points,
            (std::vector<std::int64_t>{48, 50}));
}

TEST(NeuralEot, reports_the_dual_of_what_it_has_not_seen) {
  const Problem problem = random_problem({}, .3, {.n = 60, .m = 50, .d = 2, .holdout = .2});
  const Outcome result = solve_neural(small_network(), problem, world());
  ASSERT_TRUE(result.held_out_dual);
  const Problem unseen =
      restricted(problem, neural::training_sampler(pair_of(problem), 0, 4).heldout_rows(),
                 neural::training_sampler(pair_of(problem), 1, 4).heldout_rows());
  EXPECT_EQ(unseen.n(0), 12);
  EXPECT_EQ(unseen.n(1), 10);
  EXPECT_NEAR(
      *result.held_out_dual,
      DenseEot(unseen).semi_dual(network_values(result, points_of(unseen.clouds[0].marginal))),
      1e-12);
  const Problem all = random_problem({}, .3, {.n = 60, .m = 50, .d = 2});
  EXPECT_FALSE(solve_neural(small_network(), all, world()).held_out_dual);
}

/// Along the network the dual value is concave, and its maximiser is what is kept: over the points
/// it was trained on.
TEST(NeuralEot, keeps_the_best_multiple_of_its_network) {
  for (const double holdout : {0.0, .5}) {
    for (const Cost& cost : kAllCosts) {
      SCOPED_TRACE(concat(cost_name(cost.kind), ", holdout ", holdout));
      const Problem problem =
          random_problem(cost, .1, {.n = 60, .m = 50, .d = 2, .holdout = holdout});
      neural::NeuralConfig config = small_network();
      config.batch = 8;  // a biased objective
      config.training.optimizer.learning_rate = 3e-2;
      const std::vector<double> best = solve_neural(config, problem, world()).potentials.at(0);
      config.rescale = false;
      const std::vector<double> trained = solve_neural(config, problem, world()).potentials.at(0);
      config.training.steps = 0;
      const std::vector<double> start = solve_neural(config, problem, world()).potentials.at(0);

      const DenseEot dense(restricted(problem, drawn_rows(problem, 0), drawn_rows(problem, 1)));
      const auto value_at = [&](double t) {  // of start + t (best - start)
        std::vector<double> f;
        for (const std::int64_t row : drawn_rows(problem, 0)) {
          const auto i = static_cast<std::size_t>(row);
          f.push_back(start[i] + t * (best[i] - start[i]));
        }
        return dense.semi_dual(f);
      };
      std::vector<double> of_trained;
      for (const std::int64_t row : drawn_rows(problem, 0)) {
        of_trained.push_back(trained[static_cast<std::size_t>(row)]);
      }
      EXPECT_GT(value_at(1), dense.semi_dual(of_trained));
      EXPECT_GT(value_at(1), value_at(.997));  // Newton's method resolves a thousandth
      EXPECT_GT(value_at(1), value_at(1.003));
    }
  }
}

TEST(NeuralEot, gives_its_network_for_raw_points) {
  for (const bool quadratic : {true, false}) {
    const Problem problem = random_problem({CostKind::dot}, .3, {.n = 60, .m = 50, .d = 2});
    neural::NeuralConfig config = small_network();
    config.network.quadratic = quadratic;
    const Outcome result = solve_neural(config, problem, world());
    const std::vector<double> f = network_values(result, points_of(problem.clouds[0].marginal));
    for (std::size_t i = 0; i < f.size(); ++i) {
      EXPECT_NEAR(f[i], result.potentials.at(0)[i], 1e-12);
    }
  }
}

TEST(NeuralEot, survives_coordinates_that_do_not_vary) {
  std::vector<double> x = kernels::test::uniform(80, -1, 1, 1);
  for (std::size_t i = 1; i < x.size(); i += 2) x[i] = 3;
  const Problem problem = make_problem({}, .3, make_marginal(x, 2),
                                       make_marginal(kernels::test::uniform(60, -1, 1, 2), 2));
  const Outcome result = solve_neural(small_network(), problem, world());
  expect_consistent(result, problem);
  const Problem points =
      make_problem({}, .3, make_marginal({1, 1, 1}, 1), make_marginal({2, 2, 2, 2}, 1));
  EXPECT_NEAR(solve_neural(small_network(), points, world()).dual_value, 1, 1e-12);
}

TEST(NeuralEot, says_the_same_twice) {
  const Problem problem = random_problem({}, .3, {.n = 60, .m = 50, .d = 2});
  const Outcome first = solve_neural(small_network(), problem, world());
  const Outcome second = solve_neural(small_network(), problem, world());
  EXPECT_EQ(first.dual_value, second.dual_value);
  EXPECT_EQ(first.potentials, second.potentials);
}

}  // namespace
}  // namespace kantor::test
