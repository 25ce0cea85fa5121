// Numbers that no code of ours computed: shared golden case, Gaussians, two points.

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "solvers/sinkhorn/sinkhorn.hpp"
#include "tests/solvers/dense_eot.hpp"
#include "tests/support/expect_near.hpp"
#include "tests/support/world.hpp"

namespace kantor::test {
namespace {

constexpr double kPrinted = 1e-11;           // twelve decimals are given
constexpr double kOptimum = 1.969828444541;  // kl_reg = dual value, sqeuclidean, eps = .1

Outcome solve(const Problem& problem, double tolerance, std::int64_t max_iterations,
              const std::string& storage = "auto") {
  TestRun run(world());
  sinkhorn::SinkhornConfig config;
  config.tolerance = tolerance;
  config.max_iterations = max_iterations;
  config.storage = storage;
  return sinkhorn::solve(config, problem, run.context);
}

TEST(SinkhornGolden, reaches_the_published_optimum) {
  const Outcome result = solve(golden_problem(), 1e-12, 1000);
  EXPECT_TRUE(result.converged.value());
  EXPECT_NEAR(*result.transport_cost, kernels::test::kGoldenTransportCost, kPrinted);
  EXPECT_NEAR(*result.kl, kernels::test::kGoldenKl, kPrinted);
  EXPECT_NEAR(*result.objective, kOptimum, kPrinted);
  EXPECT_NEAR(result.dual_value, kOptimum, kPrinted);
  expect_near(result.potentials.at(0), kernels::test::kGoldenF, kPrinted);
  expect_near(result.potentials.at(1), kernels::test::kGoldenG, kPrinted);
}

TEST(SinkhornGolden, has_half_of_everything_for_half_the_cost) {
  const Outcome result = solve(golden_problem({CostKind::half_sqeuclidean}, .05), 1e-12, 1000);
  EXPECT_NEAR(*result.transport_cost, kernels::test::kGoldenTransportCost / 2, kPrinted);
  EXPECT_NEAR(*result.kl, kernels::test::kGoldenKl, kPrinted);
  EXPECT_NEAR(*result.objective, kOptimum / 2, kPrinted);
  std::vector<double> f = kernels::test::kGoldenF;
  for (double& value : f) value /= 2;
  expect_near(result.potentials.at(0), f, kPrinted);
}

TEST(SinkhornGolden, has_the_same_plan_for_the_inner_product) {
  const kernels::test::GoldenCase golden;
  const Outcome result = solve(golden_problem({CostKind::dot}, .05), 1e-12, 1000);
  EXPECT_NEAR(*result.objective, -.568380501708, kPrinted);
  EXPECT_NEAR(result.dual_value, -.568380501708, kPrinted);
  EXPECT_NEAR(*result.kl, kernels::test::kGoldenKl, kPrinted);
  // f_dot = f_half - |x|^2 / 2, in the gauge sum a f = 0.
  std::vector<double> f = kernels::test::kGoldenF;
  double mean = 0;
  for (std::size_t i = 0; i < f.size(); ++i) {
    const double* x = golden.x.data() + 2 * i;
    f[i] = (f[i] - x[0] * x[0] - x[1] * x[1]) / 2;
    mean += golden.a[i] * f[i];
  }
  for (double& value : f) value -= mean;
  expect_near(result.potentials.at(0), f, kPrinted);
}

TEST(SinkhornGolden, solves_the_pnorm) {
  const Outcome result = solve(golden_problem({CostKind::pnorm, 1.5}), 1e-12, 2000);
  EXPECT_NEAR(*result.transport_cost, kernels::test::kGoldenPnormTransportCost, kPrinted);
  EXPECT_NEAR(*result.objective, 1.253015197534, kPrinted);
  EXPECT_NEAR(result.dual_value, 1.253015197534, kPrinted);
  expect_near(result.potentials.at(0), kernels::test::kGoldenPnormF, kPrinted);
  expect_near(result.potentials.at(1), kernels::test::kGoldenPnormG, kPrinted);
}

TEST(SinkhornGolden, takes_the_published_course) {
  struct Row {
    std::int64_t iteration;
    double row_error, dual_value;
  };
  for (const Row& row :
       {Row{1, 9.311956181714e-01, 1.634497023567}, Row{2, 5.951795096245e-01, 1.725969166987},
        Row{10, 2.851679939125e-01, 1.897159605378}, Row{50, 3.666097598659e-03, 1.969822127149}}) {
    for (const double tolerance : {0.0, 1e-9}) {
      const Outcome result = solve(golden_problem(), tolerance, row.iteration);
      EXPECT_EQ(result.iterations, row.iteration);
      EXPECT_NEAR(result.marginal_error.at(0), row.row_error, 1e-12);
      EXPECT_NEAR(result.marginal_error.at(1), 0, 1e-14);
      EXPECT_NEAR(result.dual_value, row.dual_value, kPrinted);
    }
  }
}

TEST(SinkhornGolden, needs_the_published_number_of_iterations) {
  EXPECT_EQ(solve(golden_problem(), 1e-3, 1000).iterations, 60);
  EXPECT_EQ(solve(golden_problem(), 1e-6, 1000).iterations, 113);
  EXPECT_EQ(solve(golden_problem(), 1e-9, 1000).iterations, 166);
}

TEST(SinkhornGolden, takes_the_same_course_with_potentials_absorbed) {
  for (const std::int64_t stop : {1, 2, 10, 50}) {
    const Outcome plain = solve(golden_problem(), 1e-9, stop);
    const Outcome absorbed = solve(golden_problem(), 1e-9, stop, "absorbed");
    EXPECT_EQ(absorbed.iterations, stop);
    EXPECT_NEAR(absorbed.marginal_error.at(0), plain.marginal_error.at(0), 1e-12);
    expect_near(absorbed.potentials.at(0), plain.potentials.at(0), kPrinted);
  }
  const Outcome result = solve(golden_problem(), 1e-12, 1000, "absorbed");
  EXPECT_TRUE(result.converged.value());
  expect_near(result.potentials.at(0), kernels::test::kGoldenF, kPrinted);
  expect_near(result.potentials.at(1), kernels::test::kGoldenG, kPrinted);
  EXPECT_EQ(solve(golden_problem(), 1e-9, 1000, "absorbed").iterations, 166);
}

TEST(SinkhornGolden, brackets_the_optimum_wherever_it_stops) {
  for (const std::int64_t stop : {1, 2, 5, 20, 50}) {
    const Outcome result = solve(golden_problem(), 1e-9, stop);
    EXPECT_FALSE(result.converged.value());
    EXPECT_LT(result.dual_value, kOptimum);
    EXPECT_GT(*result.objective, kOptimum);
    EXPECT_NEAR(*result.objective, *result.transport_cost + .1 * *result.kl, 1e-14);
  }
}

TEST(SinkhornGolden, solves_two_points_against_their_mirror_image) {
  for (const double epsilon : {.1, 1.0, 10.0}) {
    const Outcome result = solve(
        make_problem({}, epsilon, make_marginal({0, 1}, 1), make_marginal({0, 1}, 1)), 1e-13, 100);
    const double diagonal = 1 / (1 + std::exp(-1 / epsilon));  // both entries together
    EXPECT_NEAR(*result.transport_cost, 1 - diagonal, 1e-13);
    EXPECT_NEAR(*result.kl,
                diagonal * std::log(2 * diagonal) + (1 - diagonal) * std::log(2 - 2 * diagonal),
                1e-13);
  }
  const Outcome one =
      solve(make_problem({}, 1, make_marginal({0, 1}, 1), make_marginal({0, 1}, 1)), 1e-13, 100);
  EXPECT_NEAR(*one.transport_cost, .26894142136999516, 1e-13);
}

TEST(SinkhornGolden, solves_gaussians_on_grids_to_their_closed_form) {
  struct Row {
    double epsilon, value, transport_cost, kl;
  };
  for (const Row& row :
       {Row{2, 2.1652667307, 1.66210052, .25158310}, Row{1, 1.8159956050, 1.33074779, .48524781},
        Row{.5, 1.5113847982, 1.12502983, .77270993}}) {
    const Problem problem = make_problem({}, row.epsilon, gaussian_grid({.3}, {.8}, .3),
                                         gaussian_grid({-.5}, {1.3}, .25));
    const Outcome result = solve(problem, 1e-12, 1000);
    EXPECT_NEAR(*result.objective, row.value, 5.1e-11);
    EXPECT_NEAR(*result.transport_cost, row.transport_cost, 5.1e-9);
    EXPECT_NEAR(*result.kl, row.kl, 5.1e-9);
  }
}

TEST(SinkhornGolden, solves_gaussians_in_the_plane) {
  const double l11 = std::sqrt(.9 - .04 / .6);
  const Problem problem =
      make_problem({}, 1, gaussian_grid({.2, -.1}, {1, 0, .4, std::sqrt(.5 - .16)}, .5),
                   gaussian_grid({-.3, .4}, {std::sqrt(.6), 0, -.2 / std::sqrt(.6), l11}, .5));
  const Outcome result = solve(problem, 1e-13, 200);
  EXPECT_NEAR(*result.objective, 2.3270294119, 5.1e-11);
  EXPECT_NEAR(*result.transport_cost, 1.6905955116, 5.1e-11);
  EXPECT_NEAR(*result.kl, .6364339003, 5.1e-11);
}

TEST(SinkhornGolden, does_not_depend_on_where_the_costs_live) {
  const Outcome stored = solve(golden_problem(), 1e-6, 1000, "materialised");
  const Outcome streamed = solve(golden_problem(), 1e-6, 1000, "streamed");
  EXPECT_EQ(stored.iterations, streamed.iterations);
  EXPECT_NEAR(*stored.objective, *streamed.objective, 1e-12);
  expect_near(stored.potentials.at(0), streamed.potentials.at(0), 1e-12);
  expect_near(stored.potentials.at(1), streamed.potentials.at(1), 1e-12);
}

}  // namespace
}  // namespace kantor::test
