// Reductions that read from memory what their pairs cost: kept by a call before, or given.

#include <gtest/gtest.h>

#include <array>

#include "tests/runtime/kernels/cuda/emulated_problem.hpp"

namespace kantor::kernels::test {
namespace {

template <class T>
class KeptSums : public testing::Test {};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(KeptSums, Types);

constexpr Cost kCosts[] = {{CostKind::sqeuclidean, 2},
                           {CostKind::half_sqeuclidean, 2},
                           {CostKind::dot, 2},
                           {CostKind::euclidean, 2},
                           {CostKind::pnorm, 1.5}};

// Tiles are 64 rows and 64 (float) or 32 (double) columns; four columns are read at once.
TYPED_TEST(KeptSums, give_the_bits_of_sums_made_from_points) {
  std::size_t turn = 0;
  for (const std::int64_t n : {1, 31, 63, 64, 65, 130}) {
    for (const std::int64_t m : {1, 3, 4, 5, 32, 33, 64, 65, 130}) {
      const Cost& cost = kCosts[turn % std::size(kCosts)];
      const std::int64_t d = std::array{1, 3, 17, 65}[turn % 4];
      const RandomProblem<TypeParam> problem(cost, {n, m, d});
      Task task{.row_weights = problem.a,
                .enough_blocks = std::array{1, 4, 512}[turn % 3],
                .rows_at_once = std::array{0, 64, 128}[turn / 3 % 3]};
      ++turn;
      SCOPED_TRACE(testing::Message() << "N " << n << ", M " << m << ", D " << d);
      const Outcome from_points = emulated(problem, task);
      task.keeps_sums = true;
      task.sums_padding = turn % 2 == 0 ? 0 : 36;
      const Outcome from_memory =
          emulated_in_all_orders<TypeParam>(problem, task, problem.values, problem.kNumValues);
      ASSERT_EQ(from_memory, from_points);
      task.given_f = from_points.f;
      task.row_weights = uniform(n, -1, 1, 7);
      const Outcome again = emulated(problem, task);
      task.keeps_sums = false;
      ASSERT_EQ(again, emulated(problem, task));
    }
  }
}

TYPED_TEST(KeptSums, may_be_costs_of_anything) {
  for (const std::int64_t n : {1, 64, 70, 130}) {
    for (const std::int64_t m : {1, 64, 131}) {
      const RandomProblem<TypeParam> problem({CostKind::sqeuclidean, 2}, {n, m, 3}, .5);
      const auto costs =
          reference::dense_costs<TypeParam>(problem.cost, problem.x_points(), problem.y_points());
      const std::int64_t stride = cuda::quotient_up(m, 4) * 4;
      std::vector<TypeParam> matrix(static_cast<std::size_t>(n * stride));
      for (std::int64_t i = 0; i < n; ++i) {
        std::copy_n(costs.begin() + i * m, m, matrix.begin() + i * stride);
      }
      Fenced<TypeParam> sums{std::span<const TypeParam>(matrix)};
      std::vector<double> f(static_cast<std::size_t>(n)), columns(static_cast<std::size_t>(m));
      const cuda::SoftMinCall call{.is_double = sizeof(TypeParam) == 8,
                                   .cost = cuda::given_costs(),
                                   .x = {nullptr, n, 0},
                                   .y = {nullptr, m, 0},
                                   .log_b = problem.log_b.data(),
                                   .g = problem.g.data(),
                                   .epsilon = problem.epsilon,
                                   .sums = sums.data(),
                                   .sums_stride = stride,
                                   .rows_at_once = 64,
                                   .f = f.data(),
                                   .row_weights = problem.a.data(),
                                   .column_weights = columns.data()};
      std::vector<double> scratch(cuda::scratch_bytes(call) / sizeof(double));
      EmulatedLauncher launcher(Order::scattered);
      cuda::launch_soft_min<TypeParam>(call, scratch.data(), launcher);
      const auto exact = problem.exact();
      const auto exact_f = reference::soft_min(exact);
      const auto exact_columns = reference::column_weights(exact, problem.a);
      for (std::size_t i = 0; i < f.size(); ++i) {
        ASSERT_NEAR(f[i], exact_f[i], f_tolerance(problem));
      }
      for (std::size_t j = 0; j < columns.size(); ++j) {
        ASSERT_NEAR(columns[j], exact_columns[j], plan_tolerance(problem) * exact_columns[j]);
      }
    }
  }
}

/// A call for f, columns and averages of all rows, in scattered order.
template <class T>
struct PlanCall {
  std::vector<double> f, columns, averages;
  cuda::SoftMinCall call;

  explicit PlanCall(const RandomProblem<T>& problem)
      : f(static_cast<std::size_t>(problem.shape.n)),
        columns(static_cast<std::size_t>(problem.shape.m)),
        averages(f.size() * problem.kNumValues) {
    const auto [n, m, d] = problem.shape;
    call = {.is_double = sizeof(T) == 8,
            .cost = cuda::pair_cost(problem.cost),
            .d = d,
            .x = {problem.x.data(), n, d},
            .y = {problem.y.data(), m, d},
            .log_b = problem.log_b.data(),
            .g = problem.g.data(),
            .epsilon = problem.epsilon,
            .f = f.data(),
            .row_weights = problem.a.data(),
            .column_weights = columns.data(),
            .values = problem.values.data(),
            .num_values = problem.kNumValues,
            .averages = averages.data()};
  }
  int num_launches() const {
    std::vector<double> scratch(cuda::scratch_bytes(call) / sizeof(double));
    EmulatedLauncher launcher(Order::scattered);
    cuda::launch_soft_min<T>(call, scratch.data(), launcher);
    return launcher.num_launches();
  }
};

TYPED_TEST(KeptSums, of_some_rows_are_kept_where_dimensions_are_many) {
  for (const std::int64_t d : {63, 64}) {
    const RandomProblem<TypeParam> problem({CostKind::sqeuclidean, 2}, {70, 40, d});
    const cuda::Layout<TypeParam> layout(PlanCall<TypeParam>(problem).call);
    EXPECT_EQ(layout.keeps_sums, d == 64);
    EXPECT_EQ(layout.rows_at_once, 70);
  }
}

// As many tiles of 64 rows as a card's cache holds, if it holds one.
TYPED_TEST(KeptSums, rows_are_cut_by_sizes_alone) {
  const RandomProblem<TypeParam> problem({CostKind::sqeuclidean, 2}, {1, 1, 64});
  PlanCall<TypeParam> task(problem);
  task.call.x.count = 100'000;
  TypeParam anywhere[4] = {};
  const auto expect_rows = [&](std::int64_t m, std::int64_t rows) {
    task.call.y.count = m;
    task.call.sums = nullptr;
    const cuda::Layout<TypeParam> layout(task.call);
    EXPECT_EQ(layout.rows_at_once, rows);
    EXPECT_EQ(layout.keeps_sums, task.call.d > 0 && rows < task.call.x.count);
    task.call.sums = anywhere;
    task.call.sums_stride = 2 * m;
    const cuda::Layout<TypeParam> of_kept(task.call);
    EXPECT_EQ(of_kept.rows_at_once, rows) << "kept by a call before";
    EXPECT_FALSE(of_kept.keeps_sums);
    for (const auto part : {&cuda::Layout<TypeParam>::forward, &cuda::Layout<TypeParam>::weights,
                            &cuda::Layout<TypeParam>::averages}) {
      EXPECT_EQ((of_kept.*part).count, (layout.*part).count);
    }
  };
  constexpr std::int64_t kFactor = sizeof(TypeParam) / 4;
  expect_rows(4'000 / kFactor, 1536);
  expect_rows(40'000 / kFactor, 128);
  expect_rows(98'304 / kFactor, 64);
  expect_rows(98'304 / kFactor + 1, 100'000);
  task.call.d = 3;
  expect_rows(4'000 / kFactor, 100'000);
}

TYPED_TEST(KeptSums, given_costs_are_cut_too) {
  const RandomProblem<TypeParam> problem({CostKind::sqeuclidean, 2}, {1, 1, 1});
  PlanCall<TypeParam> task(problem);
  TypeParam anywhere[4] = {};
  task.call.cost = cuda::given_costs();
  task.call.d = 0;
  task.call.x.count = 100'000;
  task.call.y.count = 4'000 * 4 / sizeof(TypeParam);
  task.call.sums = anywhere;
  EXPECT_EQ(cuda::Layout<TypeParam>(task.call).rows_at_once, 1536);
}

TYPED_TEST(KeptSums, of_some_rows_serve_all_passes_over_these) {
  const RandomProblem<TypeParam> problem({CostKind::sqeuclidean, 2}, {130, 70, 3}, .5);
  PlanCall<TypeParam> task(problem);
  task.num_launches();
  const PlanCall<TypeParam> at_once = task;
  task.call.rows_at_once = 64;
  // Parts, biases, the largest; of 64, 64 and 2 rows logits, rows, columns, averages and the sum of
  // their chunks; a tile of rows is one chunk of the columns in float, two in double.
  EXPECT_EQ(task.num_launches(), 3 + 3 * 5 + (sizeof(TypeParam) == 8 ? 1 : 0));
  const double tolerance = plan_tolerance(problem);
  for (std::size_t i = 0; i < 130; ++i) {
    ASSERT_NEAR(task.f[i], at_once.f[i], f_tolerance(problem));
  }
  for (std::size_t j = 0; j < 70; ++j) {
    ASSERT_NEAR(task.columns[j], at_once.columns[j], tolerance * at_once.columns[j]);
  }
  for (std::size_t k = 0; k < task.averages.size(); ++k) {
    ASSERT_NEAR(task.averages[k], at_once.averages[k], 2 * tolerance);
  }
  // Nothing is kept if there is nothing to keep it for.
  task.call.column_weights = task.call.averages = nullptr;
  EXPECT_EQ(task.num_launches(), 5);
}

TYPED_TEST(KeptSums, are_all_that_a_call_makes_if_nothing_else_is_wanted) {
  const RandomProblem<TypeParam> problem({CostKind::dot, 2}, {2, 5, 2});
  constexpr std::int64_t kStride = 8;
  std::vector<TypeParam> sums(2 * kStride, TypeParam(-1));
  const cuda::SoftMinCall call{.is_double = sizeof(TypeParam) == 8,
                               .cost = cuda::pair_cost(problem.cost),
                               .d = 2,
                               .x = {problem.x.data(), 2, 2},
                               .y = {problem.y.data(), 5, 2},
                               .log_b = problem.log_b.data(),
                               .g = problem.g.data(),
                               .epsilon = 1,
                               .kept_sums = sums.data(),
                               .sums_stride = kStride};
  std::vector<double> scratch(cuda::scratch_bytes(call) / sizeof(double));
  EmulatedLauncher launcher(Order::forward);
  cuda::launch_soft_min<TypeParam>(call, scratch.data(), launcher);
  EXPECT_EQ(launcher.num_launches(), 3);  // biases, the largest, sums
  for (std::size_t i = 0; i < 2; ++i) {
    for (std::size_t j = 0; j < kStride; ++j) {
      TypeParam expected = 0;  // behind a row's last
      for (std::size_t k = 0; j < 5 && k < 2; ++k) {
        expected += problem.x[2 * i + k] * problem.y[2 * j + k];
      }
      EXPECT_NEAR(sums[i * kStride + j], expected, 4 * std::numeric_limits<TypeParam>::epsilon());
    }
  }
}

}  // namespace
}  // namespace kantor::kernels::test
