// The stored plan against the reduction that it stands for.

#include "runtime/kernels/absorbed_kernel.hpp"

#include <gtest/gtest.h>

#include "runtime/core/error.hpp"
#include "tests/runtime/kernels/random_problem.hpp"

namespace kantor::kernels::test {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
const Cost kSquare{CostKind::sqeuclidean, 2};

template <class T>
class AbsorbedKernelOf : public testing::Test {};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(AbsorbedKernelOf, Types);

struct Outputs {
  std::vector<double> f, columns;
};

template <class T>
Outputs weights(const AbsorbedKernel<T>& kernel, const RandomProblem<T>& problem,
                std::span<const double> g, int num_threads = 1) {
  ThreadPool pool(num_threads);
  Outputs out{std::vector<double>(problem.a.size(), -7.0),
              std::vector<double>(problem.b.size(), -7.0)};
  kernel.weights(g, problem.a, pool, out.f, out.columns);
  return out;
}

TYPED_TEST(AbsorbedKernelOf, gives_the_weights_of_the_reduction_up_to_the_largest_drift) {
  using T = TypeParam;
  ThreadPool pool(1);
  for (const Shape shape : {Shape{1, 1, 2}, Shape{37, 61, 3}, Shape{500, 300, 5}}) {
    RandomProblem<T> problem(kSquare, shape);
    const auto matrix = problem.streamed();
    AbsorbedKernel<T> kernel;
    kernel.absorb(problem.reduction(*matrix), pool);
    for (const double drift : {0., .1, 1., 8.}) {
      const std::vector<double> step = uniform(shape.m, -drift, drift, 9);
      std::vector<double> g = problem.g;
      for (std::size_t j = 0; j < g.size(); ++j) g[j] += problem.epsilon * step[j];
      const Outputs out = weights(kernel, problem, g);
      const std::vector<double> before = std::exchange(problem.g, g);
      const auto f = reference::soft_min(problem.exact());
      const auto columns = reference::column_weights(problem.exact(), problem.a);
      // Both plans and the factors between them are rounded.
      const double relative = 3 * problem.plan_tolerance();
      for (std::size_t i = 0; i < f.size(); ++i) {
        ASSERT_NEAR(out.f[i], f[i], problem.epsilon * relative) << i;
      }
      for (std::size_t j = 0; j < columns.size(); ++j) {
        ASSERT_NEAR(out.columns[j], columns[j], relative * columns[j]) << j;
      }
      problem.g = before;
    }
  }
}

// A second absorption of the same shape keeps the memory, and forgets the first.
TYPED_TEST(AbsorbedKernelOf, absorbs_again) {
  using T = TypeParam;
  ThreadPool pool(2);
  RandomProblem<T> problem(kSquare, {40, 50, 3});
  const auto matrix = problem.streamed();
  AbsorbedKernel<T> kernel, fresh;
  kernel.absorb(problem.reduction(*matrix), pool);
  for (double& g : problem.g) g += 3;
  EXPECT_FALSE(kernel.holds(problem.g));
  kernel.absorb(problem.reduction(*matrix), pool);
  fresh.absorb(problem.reduction(*matrix), pool);
  EXPECT_TRUE(kernel.holds(problem.g));
  const Outputs out = weights(kernel, problem, problem.g);
  const Outputs expected = weights(fresh, problem, problem.g);
  EXPECT_EQ(out.f, expected.f);
  EXPECT_EQ(out.columns, expected.columns);
}

TYPED_TEST(AbsorbedKernelOf, gives_the_same_bits_on_any_number_of_threads) {
  RandomProblem<TypeParam> problem(kSquare, {3000, 300, 2});
  const auto matrix = problem.streamed();
  ThreadPool pool(1);
  AbsorbedKernel<TypeParam> kernel;
  kernel.absorb(problem.reduction(*matrix), pool);
  const Outputs one = weights(kernel, problem, problem.g);
  for (const int threads : {2, 3, 5}) {
    const Outputs out = weights(kernel, problem, problem.g, threads);
    EXPECT_EQ(out.f, one.f);
    EXPECT_EQ(out.columns, one.columns);
  }
}

TYPED_TEST(AbsorbedKernelOf, ignores_the_potentials_of_absent_points) {
  RandomProblem<TypeParam> problem(kSquare, {20, 30, 2});
  ThreadPool pool(1);
  const auto matrix = problem.streamed();
  AbsorbedKernel<TypeParam> kernel;
  kernel.absorb(problem.reduction(*matrix), pool);
  const Outputs before = weights(kernel, problem, problem.g);
  for (std::size_t j = 0; j < problem.b.size(); ++j) {
    if (problem.b[j] == 0) problem.g[j] = std::numeric_limits<double>::quiet_NaN();
  }
  EXPECT_TRUE(kernel.holds(problem.g));
  const Outputs after = weights(kernel, problem, problem.g);
  EXPECT_EQ(after.f, before.f);
  EXPECT_EQ(after.columns, before.columns);
}

TYPED_TEST(AbsorbedKernelOf, holds_no_potentials_before_it_absorbed_nor_far_from_them_nor_nan) {
  RandomProblem<TypeParam> problem(kSquare, {4, 6, 2});
  ThreadPool pool(1);
  const auto matrix = problem.streamed();
  AbsorbedKernel<TypeParam> kernel;
  EXPECT_FALSE(kernel.holds(problem.g));
  kernel.absorb(problem.reduction(*matrix), pool);
  EXPECT_TRUE(kernel.holds(problem.g));
  EXPECT_FALSE(kernel.holds(std::span(problem.g).first(5)));
  for (const double far : {8.1 * problem.epsilon, -8.1 * problem.epsilon, kInfinity,
                           std::numeric_limits<double>::quiet_NaN()}) {
    std::vector<double> g = problem.g;
    g[2] += far;
    EXPECT_FALSE(kernel.holds(g)) << far;
    EXPECT_THROW(weights(kernel, problem, g), ValueError);
  }
}

TYPED_TEST(AbsorbedKernelOf, refuses_wrong_sizes) {
  RandomProblem<TypeParam> problem(kSquare, {4, 6, 2});
  ThreadPool pool(1);
  const auto matrix = problem.streamed();
  AbsorbedKernel<TypeParam> kernel;
  kernel.absorb(problem.reduction(*matrix), pool);
  std::vector<double> rows(4), columns(6), bad(5);
  EXPECT_THROW(kernel.weights(problem.g, bad, pool, rows, columns), ShapeError);
  EXPECT_THROW(kernel.weights(problem.g, rows, pool, bad, columns), ShapeError);
  EXPECT_THROW(kernel.weights(problem.g, rows, pool, rows, bad), ShapeError);
}

TYPED_TEST(AbsorbedKernelOf, of_absent_points_alone_is_empty) {
  RandomProblem<TypeParam> problem(kSquare, {5, 7, 2});
  std::fill(problem.b.begin(), problem.b.end(), 0.0);
  problem.set_log_weights();
  ThreadPool pool(1);
  const auto matrix = problem.streamed();
  AbsorbedKernel<TypeParam> kernel;
  kernel.absorb(problem.reduction(*matrix), pool);
  const Outputs out = weights(kernel, problem, problem.g);
  for (const double f : out.f) EXPECT_EQ(f, kInfinity);
  for (const double column : out.columns) EXPECT_EQ(column, 0);
}

}  // namespace
}  // namespace kantor::kernels::test
