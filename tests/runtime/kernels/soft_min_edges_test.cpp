// Absent points, extreme values and wrong arguments.

#include <gtest/gtest.h>

#include <numeric>

#include "runtime/core/error.hpp"
#include "runtime/kernels/soft_min.hpp"
#include "tests/runtime/kernels/random_problem.hpp"

namespace kantor::kernels::test {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
const Cost kSquare{CostKind::sqeuclidean, 2};

template <class T>
class SoftMinEdges : public testing::Test {};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(SoftMinEdges, Types);

struct Outputs {
  std::vector<double> f, averages, columns, backward;
  RoundedTotals totals;
};

template <class T>
Outputs run(const RandomProblem<T>& problem, const CostMatrix<T>& matrix) {
  ThreadPool pool(2);
  const auto n = static_cast<std::size_t>(problem.shape.n);
  const auto m = static_cast<std::size_t>(problem.shape.m);
  Outputs out{std::vector<double>(n),
              std::vector<double>(n * problem.kNumValues),
              std::vector<double>(m),
              std::vector<double>(m),
              {}};
  const Reduction<T> reduction = problem.reduction(matrix);
  soft_min_averages<T>(reduction, problem.values, problem.kNumValues, pool, out.f, out.averages);
  soft_min_weights<T>(reduction, problem.a, pool, out.f, out.columns);
  plan_column_weights<T>(reduction, out.f, problem.a, pool, out.backward);
  const Rounding rounding(out.columns, problem.b);
  out.totals = rounded_plan_totals<T>(reduction, problem.a, rounding.scale, rounding.missing,
                                      rounding.total_missing, pool);
  return out;
}

template <class T>
Outputs run(const RandomProblem<T>& problem) {
  return run(problem, *problem.streamed());
}

double sum(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0);
}

/// A point whose weight has no reciprocal in T, by as many doublings as a float has digits.
TYPED_TEST(SoftMinEdges, a_denormal_weight_weighs_nothing) {
  RandomProblem<TypeParam> problem(kSquare, {20, 13, 3});
  problem.b[4] = 0;
  problem.set_log_weights();
  const RoundedTotals absent = run(problem).totals;
  problem.b[4] = std::numeric_limits<TypeParam>::min() * 0x1p-23;
  problem.set_log_weights();
  const RoundedTotals tiny = run(problem).totals;
  EXPECT_EQ(tiny.transport_cost, absent.transport_cost);
  EXPECT_EQ(tiny.kl, absent.kl);
}

TYPED_TEST(SoftMinEdges, f_is_infinite_and_the_plan_empty_when_every_point_is_absent) {
  RandomProblem<TypeParam> problem(kSquare, {20, 13, 3});
  std::fill(problem.b.begin(), problem.b.end(), 0.0);
  problem.set_log_weights();
  const Outputs out = run(problem);
  for (const double f : out.f) EXPECT_EQ(f, kInfinity);
  for (const auto* zeros : {&out.averages, &out.columns, &out.backward}) {
    for (const double value : *zeros) EXPECT_EQ(value, 0);
  }
  EXPECT_EQ(out.totals.transport_cost, 0);
  EXPECT_EQ(out.totals.kl, 0);
  EXPECT_EQ(out.totals.missing_mass, 0);
}

TYPED_TEST(SoftMinEdges, one_row_may_be_absent_when_its_costs_are_infinite) {
  const std::vector<TypeParam> costs = {1,
                                        2,
                                        3,
                                        std::numeric_limits<TypeParam>::infinity(),
                                        std::numeric_limits<TypeParam>::infinity(),
                                        std::numeric_limits<TypeParam>::infinity(),
                                        2,
                                        std::numeric_limits<TypeParam>::infinity(),
                                        1};
  const std::vector<double> no_parts(3);
  const StoredCost<TypeParam> matrix({no_parts, no_parts, costs});
  RandomProblem<TypeParam> problem(kSquare, {3, 3, 1});
  const Outputs out = run(problem, matrix);
  EXPECT_TRUE(std::isfinite(out.f[0]) && std::isfinite(out.f[2]));
  EXPECT_EQ(out.f[1], kInfinity);
  for (std::size_t k = 0; k < 3; ++k) EXPECT_EQ(out.averages[3 + k], 0);
  EXPECT_NEAR(sum(out.columns), problem.a[0] + problem.a[2],
              4 * std::numeric_limits<TypeParam>::epsilon());
}

/// Costs of inf, also of a whole row and a whole column.
TYPED_TEST(SoftMinEdges, forbidden_pairs_have_no_mass) {
  using T = TypeParam;
  RandomProblem<T> problem(kSquare, {37, 53, 3});
  std::vector<T> costs(problem.costs.begin(), problem.costs.end());
  for (std::size_t k = 0; k < costs.size(); ++k) {
    const std::size_t i = k / 53;
    const std::size_t j = k % 53;
    if (i == 5 || j == 7 || (i + 2 * j) % 3 == 0) costs[k] = std::numeric_limits<T>::infinity();
    problem.costs[k] = static_cast<double>(costs[k]);
  }
  const StoredCost<T> matrix({std::vector<double>(37), std::vector<double>(53), costs});
  const Reduction<T> reduction = problem.reduction(matrix);
  const RandomProblem<T> finite(kSquare, {37, 53, 3});  // for the tolerances
  const double magnitude = finite.magnitude();
  ThreadPool pool(1);
  std::vector<double> f(37), columns(53), backward(53), averages(37 * problem.kNumValues);
  soft_min_averages<T>(reduction, problem.values, problem.kNumValues, pool, f, averages);
  soft_min_weights<T>(reduction, problem.a, pool, f, columns);
  plan_column_weights<T>(reduction, f, problem.a, pool, backward);
  const std::vector<double> expected_f = reference::soft_min(problem.exact());
  const std::vector<double> expected = reference::column_weights(problem.exact(), problem.a);
  const std::vector<double> expected_averages =
      reference::averages(problem.exact(), problem.exact_values(), problem.kNumValues);
  EXPECT_EQ(f[5], kInfinity);
  EXPECT_EQ(columns[7], 0);
  for (std::size_t i = 0; i < f.size(); ++i) {
    if (i == 5) continue;
    EXPECT_NEAR(f[i], expected_f[i], finite.f_tolerance());
  }
  for (std::size_t j = 0; j < columns.size(); ++j) {
    EXPECT_NEAR(columns[j], expected[j], finite.plan_tolerance());
    EXPECT_NEAR(backward[j], expected[j], finite.plan_tolerance());
  }
  for (std::size_t k = 0; k < averages.size(); ++k) {
    EXPECT_NEAR(averages[k], expected_averages[k], 2 * finite.plan_tolerance());
  }
  const Rounding cut(expected, problem.b);
  const auto totals = rounded_plan_totals<T>(reduction, problem.a, cut.scale, cut.missing, 0, pool);
  const auto exact =
      reference::rounded_plan_totals(problem.exact(), problem.a, cut.scale, cut.missing, 0);
  EXPECT_NEAR(totals.transport_cost, exact.transport_cost, finite.plan_tolerance() * magnitude);
  EXPECT_NEAR(totals.kl, exact.kl, finite.plan_tolerance() * (1 + 2 * magnitude / problem.epsilon));
}

TYPED_TEST(SoftMinEdges, points_of_weight_zero_change_nothing_whatever_their_potential) {
  RandomProblem<TypeParam> problem(kSquare, {33, 40, 3});
  const Outputs before = run(problem);
  for (std::size_t j = 0; j < problem.b.size(); ++j) {
    if (problem.b[j] == 0) problem.g[j] = j % 2 == 0 ? 1e300 : kNan;
  }
  const Outputs after = run(problem);
  EXPECT_EQ(after.f, before.f);
  EXPECT_EQ(after.columns, before.columns);
  EXPECT_EQ(after.totals.kl, before.totals.kl);
}

TYPED_TEST(SoftMinEdges, rows_of_weight_zero_contribute_nothing_even_where_the_plan_overflows) {
  RandomProblem<TypeParam> problem(kSquare, {9, 11, 2});
  ThreadPool pool(1);
  const auto matrix = problem.streamed();
  std::vector<double> f(9, 1e6), weights(9, 0.0), columns(11, -7.0);
  plan_column_weights<TypeParam>(problem.reduction(*matrix), f, weights, pool, columns);
  for (const double value : columns) EXPECT_EQ(value, 0);
  f[3] = kInfinity;
  weights[3] = 1;
  plan_column_weights<TypeParam>(problem.reduction(*matrix), f, weights, pool, columns);
  for (const double value : columns) EXPECT_EQ(value, 0);
  weights[4] = 1;
  plan_column_weights<TypeParam>(problem.reduction(*matrix), f, weights, pool, columns);
  for (std::size_t j = 0; j < 11; ++j) EXPECT_EQ(columns[j], problem.b[j] > 0 ? kInfinity : 0);
}

TYPED_TEST(SoftMinEdges, column_weights_are_finite_whatever_one_constant_is_in_f_and_g) {
  RandomProblem<TypeParam> problem(kSquare, {30, 30, 4});
  const auto matrix = problem.streamed();
  ThreadPool pool(1);
  std::vector<double> f(30), before(30), after(30);
  soft_min<TypeParam>(problem.reduction(*matrix), pool, f);
  plan_column_weights<TypeParam>(problem.reduction(*matrix), f, problem.a, pool, before);
  // A power of two: nothing is lost in double where 2^20 is added to numbers of order 1, but 32
  // bits; a float that held g would lose all.
  const double constant = 0x1p20;
  for (double& value : problem.g) value += constant;
  for (double& value : f) value -= constant;
  plan_column_weights<TypeParam>(problem.reduction(*matrix), f, problem.a, pool, after);
  for (std::size_t j = 0; j < 30; ++j) {
    EXPECT_NEAR(after[j], before[j], before[j] * (problem.plan_tolerance() + 0x1p-32 * 64));
  }
}

// Rows of S sum to 1: the column weights sum to the row weights, and a rounded plan has mass 1.
TYPED_TEST(SoftMinEdges, mass_is_kept_when_potentials_differ_by_ten_thousand_epsilon) {
  RandomProblem<TypeParam> problem(kSquare, {40, 50, 3}, 1e-4);
  for (std::size_t j = 0; j < problem.g.size(); ++j) problem.g[j] += static_cast<double>(j % 7);
  const Outputs out = run(problem);
  for (const double f : out.f) EXPECT_TRUE(std::isfinite(f));
  EXPECT_NEAR(sum(out.columns), 1, 64 * std::numeric_limits<TypeParam>::epsilon());
  EXPECT_TRUE(std::isfinite(out.totals.transport_cost));
  EXPECT_TRUE(std::isfinite(out.totals.kl));
  EXPECT_GE(out.totals.kl, 0);
}

TYPED_TEST(SoftMinEdges, identical_points_have_cost_zero_and_a_uniform_plan) {
  for (const CostKind kind :
       {CostKind::sqeuclidean, CostKind::half_sqeuclidean, CostKind::euclidean, CostKind::pnorm}) {
    RandomProblem<TypeParam> problem({kind, 1.5}, {17, 17, 3}, .5);
    problem.make_points_identical();
    const Outputs out = run(problem);
    const double tolerance = 16 * std::numeric_limits<TypeParam>::epsilon();
    for (const double f : out.f) EXPECT_NEAR(f, 0, tolerance);
    for (std::size_t j = 0; j < 17; ++j) EXPECT_NEAR(out.columns[j], problem.b[j], tolerance);
    EXPECT_NEAR(out.totals.transport_cost, 0, tolerance);
    EXPECT_NEAR(out.totals.kl, 0, tolerance);
  }
}

TYPED_TEST(SoftMinEdges, not_a_number_in_a_potential_is_not_hidden) {
  RandomProblem<TypeParam> problem(kSquare, {10, 33, 3});
  for (const std::size_t place : {0, 15, 32}) {
    problem.g = uniform(33, 0, 1, 1);
    problem.g[place] = kNan;
    ThreadPool pool(1);
    std::vector<double> f(10);
    const auto matrix = problem.streamed();
    soft_min<TypeParam>(problem.reduction(*matrix), pool, f);
    for (const double value : f) EXPECT_TRUE(std::isnan(value)) << place;
  }
  std::fill(problem.g.begin(), problem.g.end(), kNan);
  for (const double value : run(problem).f) EXPECT_TRUE(std::isnan(value));
}

TYPED_TEST(SoftMinEdges, empty_sides_are_allowed) {
  const RandomProblem<TypeParam> no_rows(kSquare, {0, 5, 3});
  const Outputs none = run(no_rows);
  for (const double value : none.columns) EXPECT_EQ(value, 0);
  EXPECT_EQ(none.totals.transport_cost, 0);
  const RandomProblem<TypeParam> no_columns(kSquare, {5, 0, 3});
  for (const double f : run(no_columns).f) EXPECT_EQ(f, kInfinity);
}

class SoftMinArguments : public testing::Test {
 protected:
  RandomProblem<double> problem{kSquare, {6, 7, 2}};
  std::unique_ptr<CostMatrix<double>> matrix = problem.streamed();
  ThreadPool pool{1};
  std::vector<double> rows = std::vector<double>(6, 1.0), columns = std::vector<double>(7, 1.0);
  std::vector<double> averages = std::vector<double>(18);
  std::vector<double> bad = std::vector<double>(5);

  Reduction<double> reduction() const { return problem.reduction(*matrix); }
};

TEST_F(SoftMinArguments, wrong_sizes_are_refused) {
  EXPECT_THROW(soft_min<double>(reduction(), pool, bad), ShapeError);
  EXPECT_THROW(soft_min<double>({*matrix, bad, problem.g, 1}, pool, rows), ShapeError);
  EXPECT_THROW(soft_min<double>({*matrix, problem.log_b, bad, 1}, pool, rows), ShapeError);
  const auto averages_of = [&](std::span<const double> values, std::int64_t k,
                               std::span<double> out) {
    soft_min_averages<double>(reduction(), values, k, pool, rows, out);
  };
  EXPECT_THROW(averages_of(bad, 3, averages), ShapeError);
  EXPECT_THROW(averages_of(problem.values, 3, bad), ShapeError);
  EXPECT_THROW(averages_of(problem.values, -3, averages), ValueError);
  EXPECT_THROW(soft_min_weights<double>(reduction(), bad, pool, rows, columns), ShapeError);
  EXPECT_THROW(soft_min_weights<double>(reduction(), rows, pool, bad, columns), ShapeError);
  EXPECT_THROW(soft_min_weights<double>(reduction(), rows, pool, rows, bad), ShapeError);
  EXPECT_THROW(plan_column_weights<double>(reduction(), bad, rows, pool, columns), ShapeError);
  EXPECT_THROW(plan_column_weights<double>(reduction(), rows, bad, pool, columns), ShapeError);
  EXPECT_THROW(plan_column_weights<double>(reduction(), rows, rows, pool, bad), ShapeError);
  EXPECT_THROW(rounded_plan_totals<double>(reduction(), bad, columns, columns, 1, pool),
               ShapeError);
  EXPECT_THROW(rounded_plan_totals<double>(reduction(), rows, bad, columns, 1, pool), ShapeError);
  EXPECT_THROW(rounded_plan_totals<double>(reduction(), rows, columns, bad, 1, pool), ShapeError);
}

TEST_F(SoftMinArguments, wrong_values_are_refused) {
  for (const double epsilon : {0.0, -1.0, kInfinity, kNan}) {
    problem.epsilon = epsilon;
    EXPECT_THROW(soft_min<double>(reduction(), pool, rows), ValueError) << epsilon;
  }
  problem.epsilon = 1;
  for (const double weight : {-1.0, kNan}) {
    rows[2] = weight;
    EXPECT_THROW(soft_min_weights<double>(reduction(), rows, pool, averages, columns), Error);
  }
  for (const double log_weight : {kInfinity, kNan}) {
    problem.log_b[3] = log_weight;
    EXPECT_THROW(soft_min<double>(reduction(), pool, rows), ValueError) << log_weight;
  }
  problem.set_log_weights();
  EXPECT_THROW(rounded_plan_totals<double>(reduction(), rows, columns, columns, -1, pool),
               ValueError);
}

}  // namespace
}  // namespace kantor::kernels::test
