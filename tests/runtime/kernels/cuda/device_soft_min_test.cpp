// The CUDA kernels, emulated on the host, against the reference in double: every cost, type and
// operation at the edges of the tiles, in three orders of the threads.

#include <gtest/gtest.h>

#include "tests/runtime/kernels/cuda/emulated_problem.hpp"

namespace kantor::kernels::test {
namespace {

// Around the tiles: 64 rows, 64 (float) or 32 (double) columns, 16 dimensions at a time, of which
// 64 or 32 stay in shared memory.
constexpr std::int64_t kSizes[] = {1, 31, 32, 33, 63, 64, 65, 130};
constexpr std::int64_t kDimensions[] = {1, 2, 3, 4, 5, 8, 9, 15, 16, 17, 32, 33, 64, 65};

void expect_near_each(std::span<const double> got, std::span<const double> expected,
                      std::span<const double> sums, double absolute, double relative,
                      const char* what) {
  ASSERT_EQ(got.size(), expected.size());
  for (std::size_t k = 0; k < got.size(); ++k) {
    if (got[k] == expected[k]) continue;  // infinities
    ASSERT_NEAR(got[k], expected[k], absolute + relative * std::abs(sums[k])) << what << k;
  }
}

/// The reference's word on a problem: forward, and backward for another f and weights of any sign.
template <class T>
void expect_reference(const RandomProblem<T>& problem, std::int64_t enough_blocks,
                      std::int64_t rows_at_once = 0) {
  SCOPED_TRACE(testing::Message() << "N " << problem.shape.n << ", M " << problem.shape.m << ", D "
                                  << problem.shape.d << ", epsilon " << problem.epsilon
                                  << ", blocks " << enough_blocks << ", rows at once "
                                  << rows_at_once);
  const double relative = plan_tolerance(problem);
  const double underflow =
      static_cast<double>(problem.shape.n) * static_cast<double>(std::numeric_limits<T>::min());
  const auto exact = problem.exact();
  const Outcome forward = emulated_in_all_orders<T>(
      problem,
      {.row_weights = problem.a, .enough_blocks = enough_blocks, .rows_at_once = rows_at_once},
      problem.values, 3);
  const auto f = reference::soft_min(exact);
  const auto columns = reference::column_weights(exact, problem.a);
  expect_near_each(forward.f, f, f, f_tolerance(problem), 0, "f ");
  expect_near_each(forward.columns, columns, columns, underflow, relative, "column ");
  const auto averages = reference::averages(exact, problem.exact_values(), 3);
  expect_near_each(forward.averages, averages, averages, 2 * relative, 0, "average ");

  std::vector<double> given = f;
  const std::vector<double> cotangents = uniform(problem.shape.n, -1, 1, 7);
  std::vector<double> magnitudes;
  for (std::size_t i = 0; i < f.size(); ++i) {
    given[i] += .4 * problem.epsilon * cotangents[f.size() - 1 - i];
    magnitudes.push_back(std::abs(cotangents[i]));
  }
  if (given.empty()) return;
  const Outcome backward = emulated_in_all_orders<T>(
      problem, {.row_weights = cotangents, .given_f = given, .enough_blocks = enough_blocks}, {},
      0);
  expect_near_each(backward.columns, reference::plan_column_weights(exact, given, cotangents),
                   reference::plan_column_weights(exact, given, magnitudes), underflow, relative,
                   "backward ");
}

class DeviceSoftMin : public testing::TestWithParam<Cost> {};

template <class T>
void expect_reference_at_tile_edges(const Cost& cost) {
  std::size_t turn = 0;
  for (const std::int64_t n : kSizes) {
    for (const std::int64_t m : kSizes) {
      const std::int64_t d = kDimensions[turn % std::size(kDimensions)];
      // One block for all columns, some, and as many as there are tiles.
      const std::int64_t enough_blocks = std::array{1, 4, 512}[turn % 3];
      // Costs made anew for the plan, if there are few dimensions, or kept for it.
      const std::int64_t rows_at_once = std::array{0, 64, 128}[turn / 3 % 3];
      ++turn;
      expect_reference(RandomProblem<T>(cost, {n, m, d}), enough_blocks, rows_at_once);
      if (testing::Test::HasFailure()) return;
    }
  }
}

TEST_P(DeviceSoftMin, agrees_with_reference_at_tile_edges_in_float) {
  expect_reference_at_tile_edges<float>(GetParam());
}

TEST_P(DeviceSoftMin, agrees_with_reference_at_tile_edges_in_double) {
  expect_reference_at_tile_edges<double>(GetParam());
}

TEST_P(DeviceSoftMin, agrees_with_reference_from_huge_to_tiny_epsilon) {
  for (const double epsilon : {1e6, 10., 1e-2, 1e-4}) {
    expect_reference(RandomProblem<double>(GetParam(), {65, 129, 3}, epsilon), 1);
    expect_reference(RandomProblem<float>(GetParam(), {65, 129, 3}, epsilon), 1);
  }
}

INSTANTIATE_TEST_SUITE_P(Costs, DeviceSoftMin,
                         testing::Values(Cost{CostKind::sqeuclidean, 2},
                                         Cost{CostKind::half_sqeuclidean, 2},
                                         Cost{CostKind::dot, 2}, Cost{CostKind::euclidean, 2},
                                         Cost{CostKind::pnorm, 1.5}, Cost{CostKind::pnorm, 3}));

template <class T>
class DeviceSoftMinOf : public testing::Test {};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(DeviceSoftMinOf, Types);

// More tiles than stay in registers between two flushes, in one block and in several.
TYPED_TEST(DeviceSoftMinOf, adds_up_many_tiles) {
  for (const std::int64_t enough_blocks : {1, 2, 512}) {
    const RandomProblem<TypeParam> problem({CostKind::sqeuclidean, 2}, {3, 64 * 18 + 5, 2}, .1);
    expect_reference(problem, enough_blocks);
    const RandomProblem<TypeParam> turned({CostKind::sqeuclidean, 2}, {64 * 18 + 5, 3, 2}, .1);
    expect_reference(turned, enough_blocks);
  }
}

TYPED_TEST(DeviceSoftMinOf, takes_any_number_of_values) {
  const RandomProblem<TypeParam> problem({CostKind::sqeuclidean, 2}, {66, 131, 3});
  for (const std::int64_t num_values : {1, 4, 5, 31, 32, 33, 70}) {
    const std::vector<double> exact_values = uniform(131 * num_values, -1, 1, 9);
    const std::vector<TypeParam> values(exact_values.begin(), exact_values.end());
    for (const std::int64_t enough_blocks : {1, 512}) {
      const Outcome outcome = emulated_in_all_orders<TypeParam>(
          problem, {.row_weights = problem.a, .enough_blocks = enough_blocks}, values, num_values);
      const auto averages =
          reference::averages(problem.exact(), std::vector<double>(values.begin(), values.end()),
                              static_cast<std::size_t>(num_values));
      expect_near_each(outcome.averages, averages, averages, 2 * plan_tolerance(problem), 0,
                       "average ");
    }
  }
}

TYPED_TEST(DeviceSoftMinOf, takes_rows_with_gaps_between_them) {
  for (const std::int64_t d : {3, 17, 65}) {
    const RandomProblem<TypeParam> problem({CostKind::sqeuclidean, 2}, {70, 33, d});
    for (const std::int64_t rows_at_once : {0, 64}) {
      EXPECT_EQ(
          emulated(problem, {.row_weights = problem.a, .rows_at_once = rows_at_once, .padding = 5}),
          emulated(problem, {.row_weights = problem.a, .rows_at_once = rows_at_once}));
    }
  }
}

TYPED_TEST(DeviceSoftMinOf, takes_dot_products_of_points_that_were_centred) {
  const RandomProblem<TypeParam> problem({CostKind::dot, 2}, {66, 70, 5});
  const std::vector<double> centre = {.5, -.25, 1, 0, 2};
  const auto costs = reference::dense_costs<TypeParam>(problem.cost, problem.x_points(),
                                                       problem.y_points(), centre);
  const reference::DenseReduction exact{costs, problem.log_b, problem.g, problem.epsilon};
  const Outcome outcome = emulated(problem, {.row_weights = problem.a, .centre = centre});
  // Costs are up to ten times those of the problem itself.
  const auto f = reference::soft_min(exact);
  expect_near_each(outcome.f, f, f, 10 * f_tolerance(problem), 0, "f ");
  const auto columns = reference::column_weights(exact, problem.a);
  expect_near_each(outcome.columns, columns, columns, 0, 10 * plan_tolerance(problem), "column ");
}

// df_i/dx_i = sum_j S_ij dC_ij/dx_i is linear in the averages of the y_j.
TEST(DeviceSoftMinGradient, follows_from_averages_of_the_columns) {
  struct Case {
    CostKind kind;
    double of_x, of_average;
  };
  for (const Case& c : {Case{CostKind::sqeuclidean, 2, -2}, Case{CostKind::half_sqeuclidean, 1, -1},
                        Case{CostKind::dot, 0, -1}}) {
    const Shape shape{3, 70, 4};
    RandomProblem<double> problem({c.kind, 2}, shape);
    const Outcome outcome =
        emulated<double>(problem, {.row_weights = problem.a}, problem.y, shape.d);
    const auto f_moved_by = [&](std::size_t k, double step) {
      std::vector<double> x = problem.x;
      x[k] += step;
      const auto costs = reference::dense_costs<double>(problem.cost, {x.data(), shape.n, shape.d},
                                                        problem.y_points());
      return reference::soft_min({costs, problem.log_b, problem.g, problem.epsilon});
    };
    // Third derivatives are of the order of (dC/dx)^3 / epsilon^2 < 1e3, so that the difference
    // quotient errs by 1e3 step^2 / 6 and by rounding / step: less than 1e-7 together.
    const double step = 1e-5;
    for (std::size_t k = 0; k < problem.x.size(); ++k) {
      const std::size_t i = k / static_cast<std::size_t>(shape.d);
      const double slope = (f_moved_by(k, step)[i] - f_moved_by(k, -step)[i]) / (2 * step);
      EXPECT_NEAR(c.of_x * problem.x[k] + c.of_average * outcome.averages[k], slope, 1e-7);
    }
  }
}

}  // namespace
}  // namespace kantor::kernels::test
