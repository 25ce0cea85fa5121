#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "runtime/kernels/soft_min.hpp"
#include "tests/runtime/kernels/golden_case.hpp"

namespace kantor::kernels::test {
namespace {

// Potentials are printed to 12 digits: 5e-13 / eps = 5e-12 relative in the plan.
constexpr double kPrinted = 1e-10;

struct Solution {
  Cost cost;
  double epsilon;
  std::vector<double> f, g;
  double transport_cost;
  double kl;
};

/// f, the marginals and the totals of the plan of printed optimal potentials.
void expect_optimal(const Solution& solution) {
  const GoldenCase golden;
  ThreadPool pool(1);
  const auto cost =
      streamed_cost<double>(solution.cost, {golden.x.data(), 8, 2}, {golden.y.data(), 6, 2});
  const Reduction<double> reduction{*cost, golden.log_b, solution.g, solution.epsilon};
  std::vector<double> f(8), columns(6);
  soft_min_weights<double>(reduction, golden.a, pool, f, columns);
  for (std::size_t i = 0; i < 8; ++i) EXPECT_NEAR(f[i], solution.f[i], kPrinted) << i;
  for (std::size_t j = 0; j < 6; ++j) EXPECT_NEAR(columns[j], golden.b[j], kPrinted) << j;

  std::vector<double> given(6);
  plan_column_weights<double>(reduction, solution.f, golden.a, pool, given);
  for (std::size_t j = 0; j < 6; ++j) EXPECT_NEAR(given[j], golden.b[j], kPrinted) << j;

  // The other way round: rows of the transposed plan.
  const auto transposed =
      streamed_cost<double>(solution.cost, {golden.y.data(), 6, 2}, {golden.x.data(), 8, 2});
  std::vector<double> g(6), rows(8);
  soft_min_weights<double>({*transposed, golden.log_a, solution.f, solution.epsilon}, golden.b,
                           pool, g, rows);
  for (std::size_t j = 0; j < 6; ++j) EXPECT_NEAR(g[j], solution.g[j], kPrinted) << j;
  for (std::size_t i = 0; i < 8; ++i) EXPECT_NEAR(rows[i], golden.a[i], kPrinted) << i;

  std::vector<double> scale(6), missing(6);
  double total_missing = 0;
  for (std::size_t j = 0; j < 6; ++j) {
    scale[j] = std::min(golden.b[j] / columns[j], 1.0);
    missing[j] = std::max(0.0, golden.b[j] - scale[j] * columns[j]);
    total_missing += missing[j];
  }
  const RoundedTotals totals =
      rounded_plan_totals<double>(reduction, golden.a, scale, missing, total_missing, pool);
  EXPECT_NEAR(totals.transport_cost, solution.transport_cost, 1e-9);
  EXPECT_NEAR(totals.kl, solution.kl, 1e-9);
}

std::vector<double> halved(std::vector<double> values) {
  for (double& value : values) value /= 2;
  return values;
}

TEST(Golden, sqeuclidean_plan_is_optimal) {
  expect_optimal({{CostKind::sqeuclidean, 2},
                  kGoldenEpsilon,
                  kGoldenF,
                  kGoldenG,
                  kGoldenTransportCost,
                  kGoldenKl});
}

TEST(Golden, half_sqeuclidean_at_half_epsilon_has_the_same_plan) {
  expect_optimal({{CostKind::half_sqeuclidean, 2},
                  kGoldenEpsilon / 2,
                  halved(kGoldenF),
                  halved(kGoldenG),
                  kGoldenTransportCost / 2,
                  kGoldenKl});
}

// -<x, y> = |x - y|^2 / 2 - |x|^2 / 2 - |y|^2 / 2: potentials move by the halved squares.
TEST(Golden, dot_has_the_same_plan_with_potentials_less_the_squares) {
  const GoldenCase golden;
  Solution solution{{CostKind::dot, 2}, kGoldenEpsilon / 2,       halved(kGoldenF),
                    halved(kGoldenG),   kGoldenTransportCost / 2, kGoldenKl};
  const auto move = [&](const std::vector<double>& points, const std::vector<double>& weights,
                        std::vector<double>& potential) {
    for (std::size_t i = 0; i < potential.size(); ++i) {
      const double square = points[2 * i] * points[2 * i] + points[2 * i + 1] * points[2 * i + 1];
      potential[i] -= square / 2;
      solution.transport_cost -= weights[i] * square / 2;
    }
  };
  move(golden.x, golden.a, solution.f);
  move(golden.y, golden.b, solution.g);
  EXPECT_NEAR(solution.transport_cost + solution.epsilon * solution.kl, -.568380501708, 1e-11);
  expect_optimal(solution);
}

// kl from kl_reg = <P, C> + eps kl = 1.253015197534.
TEST(Golden, pnorm_plan_is_optimal) {
  expect_optimal({{CostKind::pnorm, 1.5},
                  .1,
                  kGoldenPnormF,
                  kGoldenPnormG,
                  kGoldenPnormTransportCost,
                  (1.253015197534 - kGoldenPnormTransportCost) / .1});
}

TEST(Golden, query_point_has_the_printed_soft_min_and_map) {
  const GoldenCase golden;
  ThreadPool pool(1);
  const std::vector<double> q = {.2, -.1};
  const auto cost =
      streamed_cost<double>({CostKind::sqeuclidean, 2}, {q.data(), 1, 2}, {golden.y.data(), 6, 2});
  std::vector<double> f(1), map(2);
  soft_min_averages<double>({*cost, golden.log_b, kGoldenG, kGoldenEpsilon}, golden.y, 2, pool, f,
                            map);
  EXPECT_NEAR(map[0], 1.192979823116, kPrinted);
  EXPECT_NEAR(map[1], .880182682733, kPrinted);
}

}  // namespace
}  // namespace kantor::kernels::test
