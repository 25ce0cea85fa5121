// Absent points, empty sides and extreme values through the emulated CUDA kernels.

#include <gtest/gtest.h>

#include <numeric>

#include "tests/runtime/kernels/cuda/emulated_problem.hpp"

namespace kantor::kernels::test {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
const Cost kSquare{CostKind::sqeuclidean, 2};

template <class T>
class DeviceSoftMinEdges : public testing::Test {};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(DeviceSoftMinEdges, Types);

template <class T>
Outcome run(const RandomProblem<T>& problem) {
  return emulated(problem, {.row_weights = problem.a});
}

double sum(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0);
}

TYPED_TEST(DeviceSoftMinEdges, f_is_infinite_and_the_plan_empty_when_every_point_is_absent) {
  RandomProblem<TypeParam> problem(kSquare, {70, 71, 3});
  std::fill(problem.b.begin(), problem.b.end(), 0.0);
  problem.set_log_weights();
  const Outcome outcome = run(problem);
  for (const double f : outcome.f) EXPECT_EQ(f, kInfinity);
  for (const double value : outcome.columns) EXPECT_EQ(value, 0);
  for (const double value : outcome.averages) EXPECT_EQ(value, 0);
}

TYPED_TEST(DeviceSoftMinEdges, empty_sides_are_allowed) {
  for (const std::int64_t enough_blocks : {1, 512}) {
    const RandomProblem<TypeParam> no_rows(kSquare, {0, 70, 3});
    const Outcome none =
        emulated(no_rows, {.row_weights = no_rows.a, .enough_blocks = enough_blocks});
    EXPECT_EQ(none.columns, std::vector<double>(70, 0.0));
    const RandomProblem<TypeParam> no_columns(kSquare, {70, 0, 3});
    const Outcome empty =
        emulated(no_columns, {.row_weights = no_columns.a, .enough_blocks = enough_blocks});
    EXPECT_EQ(empty.f, std::vector<double>(70, kInfinity));
    EXPECT_EQ(empty.averages, std::vector<double>(210, 0.0));
    const RandomProblem<TypeParam> nothing(kSquare, {0, 0, 3});
    EXPECT_TRUE(run(nothing).f.empty());
  }
}

TYPED_TEST(DeviceSoftMinEdges, points_of_weight_zero_change_nothing_whatever_their_potential) {
  RandomProblem<TypeParam> problem(kSquare, {66, 140, 3});
  const Outcome before = run(problem);
  for (std::size_t j = 0; j < problem.b.size(); ++j) {
    if (problem.b[j] == 0) problem.g[j] = j % 2 == 0 ? 1e300 : kNan;
  }
  EXPECT_EQ(run(problem), before);
}

TYPED_TEST(DeviceSoftMinEdges, rows_of_weight_zero_contribute_nothing_even_where_they_overflow) {
  const RandomProblem<TypeParam> problem(kSquare, {67, 70, 2});
  Task task{.row_weights = std::vector<double>(67, 0.0), .given_f = std::vector<double>(67, 1e6)};
  for (const double value : emulated(problem, task).columns) EXPECT_EQ(value, 0);
  task.given_f[3] = kInfinity;
  task.row_weights[3] = 1;
  for (const double value : emulated(problem, task).columns) EXPECT_EQ(value, 0);
  task.row_weights[66] = 1;
  const Outcome outcome = emulated(problem, task);
  for (std::size_t j = 0; j < 70; ++j) {
    EXPECT_EQ(outcome.columns[j], problem.b[j] > 0 ? kInfinity : 0) << j;
  }
}

TYPED_TEST(DeviceSoftMinEdges, column_weights_do_not_change_with_a_constant_in_f_and_g) {
  RandomProblem<TypeParam> problem(kSquare, {70, 66, 4});
  Task task{.row_weights = problem.a, .given_f = run(problem).f};
  const Outcome before = emulated(problem, task);
  const double constant = 0x1p20;  // costs numbers of order 1 in double 32 bits, in float all
  for (double& value : problem.g) value += constant;
  for (double& value : task.given_f) value -= constant;
  const Outcome after = emulated(problem, task);
  for (std::size_t j = 0; j < before.columns.size(); ++j) {
    EXPECT_NEAR(after.columns[j], before.columns[j],
                before.columns[j] * (plan_tolerance(problem) + 0x1p-32 * 64));
  }
}

TYPED_TEST(DeviceSoftMinEdges, mass_is_kept_when_potentials_differ_by_ten_thousand_epsilon) {
  RandomProblem<TypeParam> problem(kSquare, {130, 140, 3}, 1e-4);
  for (std::size_t j = 0; j < problem.g.size(); ++j) problem.g[j] += static_cast<double>(j % 7);
  const Outcome outcome = run(problem);
  for (const double f : outcome.f) EXPECT_TRUE(std::isfinite(f));
  // The plan is made anew from f: an f that lost its last digits costs each row that much mass.
  EXPECT_NEAR(sum(outcome.columns), 1, plan_tolerance(problem));
}

TYPED_TEST(DeviceSoftMinEdges, the_largest_logit_may_come_last) {
  for (const bool is_rising : {true, false}) {
    RandomProblem<TypeParam> problem(kSquare, {5, 300, 2}, 1e-3);
    for (std::size_t j = 0; j < 300; ++j) {
      problem.g[j] = .01 * static_cast<double>(is_rising ? j : 300 - j);
    }
    const Outcome outcome = emulated(problem, {.row_weights = problem.a, .enough_blocks = 1});
    const auto f = reference::soft_min(problem.exact());
    for (std::size_t i = 0; i < 5; ++i) {
      EXPECT_NEAR(outcome.f[i], f[i], f_tolerance(problem));
    }
  }
}

TYPED_TEST(DeviceSoftMinEdges, identical_points_have_cost_zero) {
  for (const CostKind kind :
       {CostKind::sqeuclidean, CostKind::half_sqeuclidean, CostKind::euclidean, CostKind::pnorm}) {
    RandomProblem<TypeParam> problem({kind, 1.5}, {65, 65, 3}, .5);
    problem.make_points_identical();
    const Outcome outcome = run(problem);
    const double tolerance = 16 * std::numeric_limits<TypeParam>::epsilon();
    for (const double f : outcome.f) EXPECT_NEAR(f, 0, tolerance);
    for (std::size_t j = 0; j < 65; ++j) EXPECT_NEAR(outcome.columns[j], problem.b[j], tolerance);
  }
}

TYPED_TEST(DeviceSoftMinEdges, not_a_number_in_a_potential_is_not_hidden) {
  RandomProblem<TypeParam> problem(kSquare, {66, 133, 3});
  for (const std::size_t place : {0, 15, 63, 132}) {
    problem.g = uniform(133, 0, 1, 1);
    problem.g[place] = kNan;
    for (const double f : run(problem).f) EXPECT_TRUE(std::isnan(f)) << place;
  }
  std::fill(problem.g.begin(), problem.g.end(), kNan);
  for (const double f : run(problem).f) EXPECT_TRUE(std::isnan(f));
}

TYPED_TEST(DeviceSoftMinEdges, only_what_is_wanted_is_launched) {
  const RandomProblem<TypeParam> problem(kSquare, {70, 70, 2});
  std::vector<double> f(70), scratch;
  cuda::SoftMinCall call{.is_double = sizeof(TypeParam) == 8,
                         .cost = cuda::pair_cost(problem.cost),
                         .d = 2,
                         .x = {problem.x.data(), 70, 2},
                         .y = {problem.y.data(), 70, 2},
                         .log_b = problem.log_b.data(),
                         .g = problem.g.data(),
                         .epsilon = problem.epsilon,
                         .f = f.data()};
  scratch.resize(cuda::scratch_bytes(call) / sizeof(double));
  EmulatedLauncher launcher(Order::forward);
  cuda::launch_soft_min<TypeParam>(call, scratch.data(), launcher);
  EXPECT_EQ(launcher.num_launches(), 5);  // parts, biases, the largest, logits, rows
  const auto expected = reference::soft_min(problem.exact());
  for (std::size_t i = 0; i < 70; ++i) EXPECT_NEAR(f[i], expected[i], f_tolerance(problem));
}

}  // namespace
}  // namespace kantor::kernels::test
