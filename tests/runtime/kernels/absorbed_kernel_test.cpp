// The stored plan against the reduction that it stands for.

#include "runtime/kernels/absorbed/absorbed_kernel.hpp"

#include <gtest/gtest.h>

#include "runtime/core/error.hpp"
#include "tests/runtime/kernels/random_problem.hpp"
#include "tests/support/tolerance.hpp"

namespace kantor::kernels::test {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
const Cost kSquare{CostKind::sqeuclidean, 2};

template <class T, KernelFormat kFormat>
struct Form {
  using Number = T;
  static AbsorbedKernel<T> kernel() { return AbsorbedKernel<T>(kFormat); }
  static constexpr bool kIsCoded = kFormat == KernelFormat::codes;
};

/// The kernel of a problem's own potentials.
template <class F>
auto absorbed(const RandomProblem<typename F::Number>& problem, int num_threads = 1) {
  ThreadPool pool(num_threads);
  auto kernel = F::kernel();
  kernel.absorb(problem.reduction(*problem.streamed()), problem.a, pool);
  return kernel;
}

template <class F>
class AbsorbedKernelOf : public testing::Test {};
using Forms = testing::Types<Form<float, KernelFormat::numbers>,
                             Form<double, KernelFormat::numbers>, Form<float, KernelFormat::codes>>;
TYPED_TEST_SUITE(AbsorbedKernelOf, Forms);

struct Outputs {
  std::vector<double> f, columns;
};

template <class T>
Outputs weights(const AbsorbedKernel<T>& kernel, const RandomProblem<T>& problem,
                std::span<const double> g, int num_threads = 1, const RowUpdate& update = {}) {
  ThreadPool pool(num_threads);
  Outputs out{std::vector<double>(problem.a.size(), -7.0),
              std::vector<double>(problem.b.size(), -7.0)};
  kernel.weights(g, problem.a, update, pool, out.f, out.columns);
  return out;
}

TYPED_TEST(AbsorbedKernelOf, gives_the_weights_of_the_reduction_up_to_the_largest_drift) {
  using T = typename TypeParam::Number;
  for (const Shape shape : {Shape{1, 1, 2}, Shape{37, 61, 3}, Shape{500, 300, 5}}) {
    RandomProblem<T> problem(kSquare, shape);
    const auto kernel = absorbed<TypeParam>(problem);
    for (const double drift : {0., .1, 1., 8.}) {
      const std::vector<double> step = uniform(shape.m, -drift, drift, 9);
      std::vector<double> g = problem.g;
      for (std::size_t j = 0; j < g.size(); ++j) g[j] += problem.epsilon * step[j];
      const Outputs out = weights(kernel, problem, g);
      const std::vector<double> before = std::exchange(problem.g, g);
      const auto f = reference::soft_min(problem.exact());
      const auto columns = reference::column_weights(problem.exact(), problem.a);
      // Both plans and the factors between them are rounded; codes as absorbed_kernel.hpp says.
      const double rounding = 3 * problem.plan_tolerance();
      const double drifted = TypeParam::kIsCoded ? 1 - std::exp(-2 * drift) : 0;
      const double of_f = rounding + 2 * kCodeError * drifted;
      const double of_columns = rounding + 6 * kCodeError * drifted;
      for (std::size_t i = 0; i < f.size(); ++i) {
        ASSERT_NEAR(out.f[i], f[i], problem.epsilon * of_f) << i;
      }
      for (std::size_t j = 0; j < columns.size(); ++j) {
        ASSERT_NEAR(out.columns[j], columns[j], of_columns * columns[j]) << j;
      }
      problem.g = before;
    }
  }
}

TYPED_TEST(AbsorbedKernelOf, tells_how_far_potentials_are_but_for_a_constant) {
  RandomProblem<typename TypeParam::Number> problem(kSquare, {5, 3, 2}, .5);
  const auto kernel = absorbed<TypeParam>(problem);
  std::vector<double> g = problem.g;
  const std::vector<double> masses = {.5, .5, 0};
  for (double& value : g) value += 1;
  EXPECT_NEAR(kernel.drift(g, masses), 0, 1e-12);
  g[0] += .2;
  g[2] += 100;
  EXPECT_NEAR(kernel.drift(g, masses), .1 / .5, 1e-12);
}

TYPED_TEST(AbsorbedKernelOf, sums_the_columns_of_updated_rows) {
  RandomProblem<typename TypeParam::Number> problem(kSquare, {130, 61, 3});
  const auto kernel = absorbed<TypeParam>(problem);
  const auto f = reference::soft_min(problem.exact());
  std::vector<double> kept = uniform(130, -1, 1, 9);
  std::vector<double> moved = f;
  for (std::size_t i = 0; i < f.size(); ++i) {
    kept[i] = -.4 * f[i] + problem.epsilon * kept[i];
    moved[i] = kept[i] + 1.4 * f[i];
  }
  const Outputs out = weights(kernel, problem, problem.g, 1, {kept, 1.4});
  const Outputs plain = weights(kernel, problem, problem.g);
  EXPECT_EQ(out.f, plain.f);
  const auto columns = reference::plan_column_weights(problem.exact(), moved, problem.a);
  // Codes are exact for the scales of the rows that they were made with.
  const double spread = TypeParam::kIsCoded ? 6 * kCodeError : 0;
  const double tolerance = 4 * problem.plan_tolerance() + spread;
  for (std::size_t j = 0; j < columns.size(); ++j) {
    ASSERT_NEAR(out.columns[j], columns[j], tolerance * columns[j]) << j;
    EXPECT_TRUE(columns[j] == 0 || out.columns[j] != plain.columns[j]) << j;
  }
  EXPECT_THROW(weights(kernel, problem, problem.g, 1, {std::span(kept).first(5), 1}), Error);
}

// A second absorption of the same shape keeps the memory, and forgets the first.
TYPED_TEST(AbsorbedKernelOf, absorbs_again) {
  using T = typename TypeParam::Number;
  ThreadPool pool(2);
  RandomProblem<T> problem(kSquare, {40, 50, 3});
  const auto matrix = problem.streamed();
  auto kernel = TypeParam::kernel(), fresh = TypeParam::kernel();
  kernel.absorb(problem.reduction(*matrix), problem.a, pool);
  for (double& g : problem.g) g += 3;
  EXPECT_FALSE(kernel.holds(problem.g));
  kernel.absorb(problem.reduction(*matrix), problem.a, pool);
  fresh.absorb(problem.reduction(*matrix), problem.a, pool);
  EXPECT_TRUE(kernel.holds(problem.g));
  const Outputs out = weights(kernel, problem, problem.g);
  const Outputs expected = weights(fresh, problem, problem.g);
  EXPECT_EQ(out.f, expected.f);
  EXPECT_EQ(out.columns, expected.columns);
}

TYPED_TEST(AbsorbedKernelOf, gives_the_same_bits_on_any_number_of_threads) {
  RandomProblem<typename TypeParam::Number> problem(kSquare, {3000, 300, 2});
  const auto kernel = absorbed<TypeParam>(problem);
  const Outputs one = weights(kernel, problem, problem.g);
  for (const int threads : {2, 3, 5}) {
    const auto absorbed_by_many = absorbed<TypeParam>(problem, threads);
    for (const auto* each : {&kernel, &absorbed_by_many}) {
      const Outputs out = weights(*each, problem, problem.g, threads);
      EXPECT_EQ(out.f, one.f);
      EXPECT_EQ(out.columns, one.columns);
    }
  }
}

TYPED_TEST(AbsorbedKernelOf, ignores_the_potentials_of_absent_points) {
  RandomProblem<typename TypeParam::Number> problem(kSquare, {20, 30, 2});
  const auto kernel = absorbed<TypeParam>(problem);
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
  RandomProblem<typename TypeParam::Number> problem(kSquare, {4, 6, 2});
  ThreadPool pool(1);
  const auto matrix = problem.streamed();
  auto kernel = TypeParam::kernel();
  EXPECT_FALSE(kernel.holds(problem.g));
  kernel.absorb(problem.reduction(*matrix), problem.a, pool);
  EXPECT_TRUE(kernel.holds(problem.g));
  EXPECT_FALSE(kernel.holds(std::span(problem.g).first(5)));
  for (const double far : {8.1 * problem.epsilon, -8.1 * problem.epsilon, kInfinity,
                           std::numeric_limits<double>::quiet_NaN()}) {
    std::vector<double> g = problem.g;
    g[2] += far;
    EXPECT_FALSE(kernel.holds(g)) << far;
    EXPECT_THROW(weights(kernel, problem, g), ValueError);
  }
  kernel.forget();
  EXPECT_FALSE(kernel.holds(problem.g));
  kernel.absorb(problem.reduction(*matrix), problem.a, pool);
  EXPECT_TRUE(kernel.holds(problem.g));
}

TYPED_TEST(AbsorbedKernelOf, refuses_wrong_sizes) {
  RandomProblem<typename TypeParam::Number> problem(kSquare, {4, 6, 2});
  ThreadPool pool(1);
  const auto matrix = problem.streamed();
  auto kernel = TypeParam::kernel();
  kernel.absorb(problem.reduction(*matrix), problem.a, pool);
  std::vector<double> rows(4), columns(6), bad(5);
  EXPECT_THROW(kernel.weights(problem.g, bad, pool, rows, columns), ShapeError);
  EXPECT_THROW(kernel.weights(problem.g, rows, pool, bad, columns), ShapeError);
  EXPECT_THROW(kernel.weights(problem.g, rows, pool, rows, bad), ShapeError);
  EXPECT_THROW(kernel.absorb(problem.reduction(*matrix), bad, pool), ShapeError);
}

TYPED_TEST(AbsorbedKernelOf, of_absent_points_alone_is_empty) {
  RandomProblem<typename TypeParam::Number> problem(kSquare, {5, 7, 2});
  std::fill(problem.b.begin(), problem.b.end(), 0.0);
  problem.set_log_weights();
  const auto kernel = absorbed<TypeParam>(problem);
  const Outputs out = weights(kernel, problem, problem.g);
  for (const double f : out.f) EXPECT_EQ(f, kInfinity);
  for (const double column : out.columns) EXPECT_EQ(column, 0);
}

TEST(CodedKernel, is_of_float_alone) {
  EXPECT_THROW(AbsorbedKernel<double>(KernelFormat::codes), ValueError);
  EXPECT_TRUE(AbsorbedKernel<float>(KernelFormat::codes).is_coded());
  EXPECT_FALSE(AbsorbedKernel<double>().is_coded());
}

// Both are made of the same exponentials. Codes without their factors differ by 1e-4.
TEST(CodedKernel, agrees_with_numbers_where_it_was_absorbed) {
  for (const Shape shape : {Shape{50, 5, 2}, Shape{37, 61, 3}, Shape{500, 300, 5}}) {
    RandomProblem<float> problem(kSquare, shape);
    const auto matrix = problem.streamed();
    ThreadPool pool(1);
    AbsorbedKernel<float> numbers, codes(KernelFormat::codes);
    numbers.absorb(problem.reduction(*matrix), problem.a, pool);
    codes.absorb(problem.reduction(*matrix), problem.a, pool);
    const Outputs expected = weights(numbers, problem, problem.g);
    const Outputs out = weights(codes, problem, problem.g);
    const double relative = kantor::test::tol<float>(4);
    for (std::size_t i = 0; i < expected.f.size(); ++i) {
      ASSERT_NEAR(out.f[i], expected.f[i], problem.epsilon * relative) << i;
    }
    for (std::size_t j = 0; j < expected.columns.size(); ++j) {
      ASSERT_NEAR(out.columns[j], expected.columns[j], relative * expected.columns[j]) << j;
    }
  }
}

// Costs of up to 400 epsilon: most entries are 0 in codes, and some columns whole.
TEST(CodedKernel, is_exact_where_it_was_absorbed_but_for_columns_that_vanish) {
  RandomProblem<float> problem(kSquare, {300, 200, 2}, .01);
  const auto matrix = problem.streamed();
  ThreadPool pool(1);
  AbsorbedKernel<float> kernel(KernelFormat::codes);
  kernel.absorb(problem.reduction(*matrix), problem.a, pool);
  const Outputs out = weights(kernel, problem, problem.g);
  const auto f = reference::soft_min(problem.exact());
  const auto columns = reference::column_weights(problem.exact(), problem.a);
  const double relative = 3 * problem.plan_tolerance();
  for (std::size_t i = 0; i < f.size(); ++i) {
    ASSERT_NEAR(out.f[i], f[i], problem.epsilon * relative) << i;
  }
  int num_kept = 0, num_vanished = 0;
  for (std::size_t j = 0; j < columns.size(); ++j) {
    if (out.columns[j] == 0) {
      EXPECT_LT(columns[j], 1.01 * static_cast<double>(kSmallestCoded));
      num_vanished += columns[j] > 0 ? 1 : 0;
    } else {
      ASSERT_NEAR(out.columns[j], columns[j], relative * columns[j]) << j;
      ++num_kept;
    }
  }
  EXPECT_GT(num_kept, 20);
  EXPECT_GT(num_vanished, 20);
}

}  // namespace
}  // namespace kantor::kernels::test
