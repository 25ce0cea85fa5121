#include "runtime/kernels/cost_matrix.hpp"

#include <gtest/gtest.h>

#include "runtime/core/error.hpp"
#include "tests/runtime/kernels/random_problem.hpp"
#include "tests/support/tolerance.hpp"

namespace kantor::kernels::test {
namespace {

const Cost kCosts[] = {{CostKind::sqeuclidean, 2}, {CostKind::half_sqeuclidean, 2},
                       {CostKind::dot, 2},         {CostKind::euclidean, 2},
                       {CostKind::pnorm, 1.5},     {CostKind::pnorm, 2.7}};

template <class T>
std::vector<T> all_costs(const CostMatrix<T>& matrix) {
  std::vector<T> tile(static_cast<std::size_t>(matrix.num_rows() * matrix.num_columns()));
  matrix.costs(0, matrix.num_rows(), tile.data());
  return tile;
}

TEST(CostBetween, is_the_definition) {
  const std::vector<double> x = {1, 2}, y = {4, -2};
  EXPECT_EQ(cost_between({CostKind::sqeuclidean, 2}, x, y), 25);
  EXPECT_EQ(cost_between({CostKind::half_sqeuclidean, 2}, x, y), 12.5);
  EXPECT_EQ(cost_between({CostKind::dot, 2}, x, y), 0);
  EXPECT_EQ(cost_between({CostKind::dot, 2}, x, x), -5);
  EXPECT_EQ(cost_between({CostKind::euclidean, 2}, x, y), 5);
  EXPECT_DOUBLE_EQ(cost_between({CostKind::pnorm, 3}, x, y), (27. + 64) / 3);
}

TEST(CostBetween, refuses_points_of_different_dimensions) {
  const std::vector<double> x = {1, 2}, y = {4};
  EXPECT_THROW(cost_between({CostKind::dot, 2}, x, y), ShapeError);
}

template <class T>
void expect_definition(const Cost& cost, Shape shape) {
  const RandomProblem<T> problem(cost, shape);
  const std::vector<T> tile = all_costs(*problem.streamed());
  for (std::size_t k = 0; k < tile.size(); ++k) {
    ASSERT_NEAR(tile[k], problem.costs[k],
                8 * std::numeric_limits<T>::epsilon() * problem.magnitude())
        << k;
  }
}

TEST(StreamedCost, tiles_are_the_definition) {
  for (const Cost& cost : kCosts) {
    for (const Shape shape : {Shape{1, 1, 1}, Shape{5, 9, 17}, Shape{33, 31, 64}}) {
      expect_definition<float>(cost, shape);
      expect_definition<double>(cost, shape);
    }
  }
}

TEST(StreamedCost, a_panel_is_the_rows_of_the_whole) {
  for (const Cost& cost : kCosts) {
    const RandomProblem<double> problem(cost, {20, 11, 3});
    const auto matrix = problem.streamed();
    const std::vector<double> whole = all_costs(*matrix);
    std::vector<double> panel(4 * 11);
    matrix->costs(13, 4, panel.data());
    for (std::size_t k = 0; k < panel.size(); ++k) EXPECT_NEAR(panel[k], whole[13 * 11 + k], 1e-15);
  }
}

TEST(StreamedCost, dot_with_shift_is_the_product_of_the_moved_points) {
  const RandomProblem<double> problem({CostKind::dot, 2}, {12, 15, 3});
  const std::vector<double> shift = {10, -20, 30};
  const auto matrix =
      streamed_cost<double>(problem.cost, problem.x_points(), problem.y_points(), shift);
  const std::vector<double> expected =
      reference::dense_costs<double>(problem.cost, problem.x_points(), problem.y_points(), shift);
  const std::vector<double> tile = all_costs(*matrix);
  for (std::size_t k = 0; k < tile.size(); ++k) EXPECT_NEAR(tile[k], expected[k], 1400 * 1e-15);

  ThreadPool pool(1);
  std::vector<double> f(12);
  soft_min<double>(problem.reduction(*matrix), pool, f);
  const auto exact_f = reference::soft_min({expected, problem.log_b, problem.g, problem.epsilon});
  for (std::size_t i = 0; i < f.size(); ++i) EXPECT_NEAR(f[i], exact_f[i], 1400 * 1e-14);
}

// |x|^2 + |y|^2 - 2 <x, y> alone would leave sqrt(eps) |x| here.
TEST(StreamedCost, euclidean_is_accurate_between_points_that_nearly_coincide) {
  const auto check = [](auto type, double distance, double relative) {
    using T = decltype(type);
    const std::vector<T> x = {3, 4, 5, 3, 4, 5};
    const std::vector<T> y = {3, static_cast<T>(4 + distance), 5, 3, 4, 5};
    const std::vector<T> tile =
        all_costs(*streamed_cost<T>({CostKind::euclidean, 2}, {x.data(), 2, 3}, {y.data(), 2, 3}));
    EXPECT_NEAR(tile[0], static_cast<double>(y[1] - x[1]), relative * distance);
    EXPECT_EQ(tile[1], 0);
    EXPECT_EQ(tile[3], 0);
  };
  check(double{}, 0x1p-30, 1e-15);
  check(float{}, 0x1p-15, 1e-7);
}

TEST(StoredCost, keeps_the_costs_of_its_source_and_panels_of_them) {
  const RandomProblem<float> problem({CostKind::euclidean, 2}, {300, 41, 3});
  const auto streamed = problem.streamed();
  ThreadPool pool(3);
  const StoredCost<float> stored(*streamed, pool);
  const std::vector<float> whole = all_costs<float>(stored);
  for (std::size_t k = 0; k < whole.size(); ++k) {
    ASSERT_NEAR(whole[k], problem.costs[k], 1.2e-7 * 8 * problem.magnitude());
  }
  std::vector<float> panel(7 * 41);
  stored.costs(290, 7, panel.data());
  EXPECT_TRUE(std::equal(panel.begin(), panel.end(), whole.begin() + 290 * 41));
}

TEST(StoredCost, takes_parts_of_rows_and_columns_apart_both_ways) {
  const SplitCosts<float> split{{1e8, -3}, {.5, 2e6, 7}, {1, 2, 3, 4, 5, 6}};
  const std::vector<float> whole = all_costs<float>(StoredCost<float>(split));
  const std::vector<float> across = all_costs<float>(StoredCost<float>(split.transposed()));
  for (std::size_t i = 0; i < 2; ++i) {
    for (std::size_t j = 0; j < 3; ++j) {
      const auto cost = static_cast<float>(split.row_parts[i] + split.column_parts[j] +
                                           static_cast<double>(split.rest[3 * i + j]));
      EXPECT_EQ(whole[3 * i + j], cost);
      EXPECT_EQ(across[2 * j + i], cost);
    }
  }
}

TEST(CostMatrix, wrong_arguments_are_refused) {
  const std::vector<double> points(12);
  const Points<double> six{points.data(), 6, 2};
  const auto make = [&](Cost cost, Points<double> x, Points<double> y,
                        std::vector<double> shift = {}) {
    return streamed_cost<double>(cost, x, y, shift);
  };
  const Cost square{CostKind::sqeuclidean, 2};
  EXPECT_THROW(make(square, six, {points.data(), 4, 3}), ShapeError);
  EXPECT_THROW(make(square, {points.data(), 6, 0}, {points.data(), 6, 0}), ShapeError);
  EXPECT_THROW(make(square, {points.data(), -1, 2}, six), ShapeError);
  EXPECT_THROW(make({CostKind::dot, 2}, six, six, {1}), ShapeError);
  for (const double p : {1.0, .5, -2.0, std::numeric_limits<double>::infinity(),
                         std::numeric_limits<double>::quiet_NaN()}) {
    EXPECT_THROW(make({CostKind::pnorm, p}, six, six), ValueError) << p;
  }
  EXPECT_THROW(make({static_cast<CostKind>(17), 2}, six, six), ValueError);
  EXPECT_THROW(StoredCost<double>({{0, 0}, {0, 0, 0}, std::vector<double>(5)}), ShapeError);
}

}  // namespace
}  // namespace kantor::kernels::test
