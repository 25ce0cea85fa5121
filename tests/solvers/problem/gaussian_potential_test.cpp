#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "solvers/problem/gaussian.hpp"
#include "tests/solvers/dense_eot.hpp"
#include "tests/support/world.hpp"

// Shapes: D dimensions, R rank.

namespace kantor::test {
namespace {

/// scale (square I - W W^T), [D, D].
std::vector<double> quadratic_matrix(const GaussianPotential& potential) {
  const std::size_t d = potential.mean.size();
  const auto rank = static_cast<std::size_t>(potential.rank);
  std::vector<double> matrix(d * d);
  for (std::size_t i = 0; i < d; ++i) {
    for (std::size_t k = 0; k < d; ++k) {
      double sum = i == k ? potential.square : 0;
      for (std::size_t r = 0; r < rank; ++r) {
        sum -= potential.factor[i * rank + r] * potential.factor[k * rank + r];
      }
      matrix[i * d + k] = potential.scale * sum;
    }
  }
  return matrix;
}

/// f at raw points [n, D].
std::vector<double> value_at(const GaussianPotential& potential,
                             const std::vector<double>& points) {
  const std::size_t d = potential.mean.size();
  const std::vector<double> matrix = quadratic_matrix(potential);
  std::vector<double> values;
  for (std::size_t i = 0; i < points.size(); i += d) {
    double value = 0;
    for (std::size_t k = 0; k < d; ++k) {
      const double z = points[i + k] - potential.mean[k];
      value += 2 * potential.scale * potential.linear[k] * z;
      for (std::size_t l = 0; l < d; ++l) {
        value += z * matrix[k * d + l] * (points[i + l] - potential.mean[l]);
      }
    }
    values.push_back(value);
  }
  return values;
}

GaussianPotential potential_of(const Problem& problem, std::int64_t max_rank, Context& context) {
  return gaussian_potential(problem.clouds[0], problem.clouds[1], problem.cost.kernel.kind,
                            problem.epsilon, max_rank, context);
}

/// Largest difference up to a constant.
double spread(const std::vector<double>& u, const std::vector<double>& v) {
  double low = u[0] - v[0];
  double high = low;
  for (std::size_t i = 0; i < u.size(); ++i) {
    low = std::min(low, u[i] - v[i]);
    high = std::max(high, u[i] - v[i]);
  }
  return high - low;
}

TEST(GaussianPotential, has_the_published_quadratic_coefficient_in_one_dimension) {
  struct Row {
    double epsilon, coefficient;
  };
  for (const Row& row : {Row{2, -.02179647}, Row{1, -.28066579}, Row{.5, -.44138294}}) {
    const auto potential =
        gaussian_potential(std::vector{.3}, std::vector{-.5}, std::vector{1.3},
                           std::vector{1.69 * .64}, CostKind::sqeuclidean, row.epsilon);
    EXPECT_NEAR(quadratic_matrix(potential)[0], row.coefficient, 5.1e-9);
    EXPECT_NEAR(potential.linear[0], .8, 1e-15);
  }
}

TEST(GaussianPotential, has_the_published_matrix_in_two_dimensions) {
  // B = L L^T by hand: L = [[sqrt .6, 0], [-.2 / sqrt .6, sqrt(.9 - .04 / .6)]].
  const double l00 = std::sqrt(.6);
  const double l10 = -.2 / l00;
  const double l11 = std::sqrt(.9 - l10 * l10);
  const std::vector<double> factor = {l00, 0, l10, l11};
  const double p01 = l11 * (.4 * l00 + .5 * l10);
  const std::vector<double> projected = {l00 * l00 + 2 * .4 * l00 * l10 + .5 * l10 * l10, p01, p01,
                                         .5 * l11 * l11};
  const std::vector<double> a = {.2, -.1};
  const std::vector<double> b = {-.3, .4};
  struct Row {
    double epsilon, m11, m12, m22;
  };
  for (const Row& row : {Row{1, .3735132053, .3018589362, -.039405197},
                         Row{.5, .2437442596, .3951065292, -.2876206989}}) {
    const auto potential =
        gaussian_potential(a, b, factor, projected, CostKind::sqeuclidean, row.epsilon);
    const std::vector<double> matrix = quadratic_matrix(potential);
    EXPECT_NEAR(matrix[0], row.m11, 5.1e-11);
    EXPECT_NEAR(matrix[1], row.m12, 5.1e-11);
    EXPECT_NEAR(matrix[2], row.m12, 5.1e-11);
    EXPECT_NEAR(matrix[3], row.m22, 5.1e-10);  // printed with one digit less
    EXPECT_NEAR(2 * potential.scale * potential.linear[0], 1, 1e-15);
    EXPECT_NEAR(2 * potential.scale * potential.linear[1], -1, 1e-15);
  }
}

/// Gaussians on grids: the sample moments are the laws', and Sinkhorn's f is the closed form.
TEST(GaussianPotential, is_optimal_for_every_cost_that_has_it) {
  TestRun run(world());
  for (const CostKind kind : {CostKind::sqeuclidean, CostKind::half_sqeuclidean, CostKind::dot}) {
    const Problem problem =
        make_problem({kind}, 1, gaussian_grid({.3}, {.8}, .3), gaussian_grid({-.5}, {1.3}, .3));
    const DenseEot dense(problem);
    const std::vector<double> f = dense.sinkhorn(60).f;
    const auto potential = potential_of(problem, 256, run.context);
    const std::vector<double> closed = value_at(potential, points_of(problem.clouds[0].marginal));
    // |x| <= 4 sd; 1e-9: what the grids leave out beyond 7.5 sd moves the tails of f the most.
    const auto inner = [](const std::vector<double>& v) {
      return std::vector<double>(v.begin() + 12, v.end() - 12);
    };
    EXPECT_LT(spread(inner(f), inner(closed)), 1e-9) << cost_name(kind);
  }
}

TEST(GaussianPotential, holds_for_a_singular_covariance) {
  TestRun run(world());
  // Both marginals on the first axis: the problem in one dimension, |x_2|^2 on its own.
  const std::vector<double> x = kernels::test::uniform(20, -1, 1, 1);
  const std::vector<double> y = kernels::test::uniform(30, -2, 3, 2);
  const auto on_axis = [](const std::vector<double>& line) {
    std::vector<double> plane;
    for (const double value : line) plane.insert(plane.end(), {value, 0.0});
    return plane;
  };
  const Problem flat =
      make_problem({}, .3, make_marginal(on_axis(x), 2), make_marginal(on_axis(y), 2));
  const Problem line = make_problem({}, .3, make_marginal(x, 1), make_marginal(y, 1));
  const auto of_flat = quadratic_matrix(potential_of(flat, 256, run.context));
  const auto of_line = quadratic_matrix(potential_of(line, 256, run.context));
  EXPECT_NEAR(of_flat[0], of_line[0], 1e-13);
  EXPECT_NEAR(of_flat[1], 0, 1e-13);
  EXPECT_NEAR(of_flat[3], 1, 1e-13);
}

TEST(GaussianPotential, is_the_cost_itself_if_the_other_marginal_is_a_point) {
  TestRun run(world());
  const Problem problem = make_problem(
      {}, .3, make_marginal(kernels::test::uniform(30, -1, 1, 1), 3), make_marginal({1, 2, 3}, 3));
  const auto potential = potential_of(problem, 256, run.context);
  EXPECT_EQ(potential.rank, 0);
  EXPECT_LT(spread(value_at(potential, points_of(problem.clouds[0].marginal)), costs_of(problem)),
            1e-13);
}

TEST(GaussianPotential, keeps_the_largest_directions_of_a_bounded_rank) {
  TestRun run(world());
  std::vector<double> y = kernels::test::uniform(40 * 3, -1, 1, 2);
  for (std::size_t i = 0; i < y.size(); i += 3) y[i + 1] *= 100;
  const Problem problem = make_problem(
      {}, .3, make_marginal(kernels::test::uniform(60, -1, 1, 1), 3), make_marginal(y, 3));
  const auto whole = potential_of(problem, 256, run.context);
  const auto cut = potential_of(problem, 1, run.context);
  EXPECT_EQ(whole.rank, 3);
  EXPECT_EQ(cut.rank, 1);
  // The kept direction is the second axis to 1e-2: the others are 100 times shorter.
  EXPECT_NEAR(quadratic_matrix(cut)[4] / quadratic_matrix(whole)[4], 1, 1e-3);
  EXPECT_NEAR(quadratic_matrix(cut)[0], 1, 1e-2);
}

/// Above 1024 dimensions the covariance comes from a Gram matrix of rows; zeros appended to small
/// points change nothing.
TEST(GaussianPotential, is_the_same_from_rows_as_from_the_covariance) {
  TestRun run(world());
  constexpr std::int64_t kSmall = 5;
  constexpr std::int64_t kLarge = 1030;
  const auto padded = [](const data::Marginal& marginal) {
    const std::vector<double> points = points_of(marginal);
    std::vector<double> large(static_cast<std::size_t>(marginal.n() * kLarge), 0.0);
    for (std::size_t i = 0; i < points.size(); ++i) {
      large[i / kSmall * kLarge + (i % kSmall) * 200] = points[i];
    }
    return make_marginal(large, kLarge, marginal.weights());
  };
  for (const CostKind kind : {CostKind::sqeuclidean, CostKind::dot}) {
    const Problem small = random_problem({kind}, .4, {.n = 31, .m = 43, .d = kSmall});
    const Problem large = make_problem({kind}, .4, padded(small.clouds[0].marginal),
                                       padded(small.clouds[1].marginal));
    const std::vector<double> expected =
        value_at(potential_of(small, 256, run.context), points_of(small.clouds[0].marginal));
    for (const std::int64_t max_rank : {5, 20, 256}) {
      const auto potential = potential_of(large, max_rank, run.context);
      EXPECT_LE(potential.rank, max_rank);
      EXPECT_LT(spread(value_at(potential, points_of(large.clouds[0].marginal)), expected), 1e-11);
    }
  }
}

}  // namespace
}  // namespace kantor::test
