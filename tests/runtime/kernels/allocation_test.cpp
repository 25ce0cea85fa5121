// Kernels take their scratch memory from the pool: after the first call of a shape, none is asked
// of the system.

#include <gtest/gtest.h>

#include "runtime/kernels/soft_min.hpp"
#include "tests/runtime/kernels/random_problem.hpp"
#include "tests/support/large_allocations.hpp"

namespace kantor::kernels::test {
namespace {

using kantor::test::num_large_allocations;

/// All entry points on a problem whose vectors are all larger than what counts as large.
template <class T>
class Calls {
 public:
  explicit Calls(CostKind kind)
      : problem_({kind, 2}, {1100, 1300, 5}), matrix_(problem_.streamed()) {}

  void all(ThreadPool& pool) {
    const Reduction<T> reduction = problem_.reduction(*matrix_);
    soft_min<T>(reduction, pool, f_);
    soft_min_averages<T>(reduction, problem_.values, problem_.kNumValues, pool, f_, averages_);
    soft_min_weights<T>(reduction, problem_.a, pool, f_, columns_);
    plan_column_weights<T>(reduction, f_, problem_.a, pool, columns_);
    rounded_plan_totals<T>(reduction, problem_.a, problem_.b, problem_.b, 1, pool);
  }
  /// As a training step does: points are new in each.
  void weights_of_new_points(ThreadPool& pool) {
    const auto matrix = problem_.streamed();
    soft_min_weights<T>(problem_.reduction(*matrix), problem_.a, pool, f_, columns_);
  }

 private:
  RandomProblem<T> problem_;
  std::unique_ptr<CostMatrix<T>> matrix_;
  std::vector<double> f_ = std::vector<double>(1100), columns_ = std::vector<double>(1300);
  std::vector<double> averages_ = std::vector<double>(1100 * RandomProblem<T>::kNumValues);
};

template <class T>
class KernelAllocations : public testing::Test {};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(KernelAllocations, Types);

TYPED_TEST(KernelAllocations, are_none_after_the_first_call_of_a_shape) {
  for (const CostKind kind : {CostKind::sqeuclidean, CostKind::euclidean, CostKind::pnorm}) {
    Calls<TypeParam> calls(kind);
    ThreadPool pool(1);
    const std::int64_t before = num_large_allocations();
    calls.all(pool);
    EXPECT_GT(num_large_allocations(), before);  // that the counter counts
    const std::int64_t after_first = num_large_allocations();
    const std::int64_t from_pool = pool.num_workspace_allocations();
    for (int call = 0; call < 5; ++call) calls.all(pool);
    EXPECT_EQ(num_large_allocations(), after_first);
    EXPECT_EQ(pool.num_workspace_allocations(), from_pool);
  }
}

TYPED_TEST(KernelAllocations, are_none_for_new_points_of_a_factored_cost) {
  Calls<TypeParam> calls(CostKind::sqeuclidean);
  ThreadPool pool(1);
  calls.weights_of_new_points(pool);
  const std::int64_t after_first = num_large_allocations();
  for (int call = 0; call < 5; ++call) calls.weights_of_new_points(pool);
  EXPECT_EQ(num_large_allocations(), after_first);
}

// Which thread works on what is chance: each asks for its own memory when it first works, and once
// more at most when the caller's shared part joins its own.
TYPED_TEST(KernelAllocations, are_bounded_by_the_number_of_threads) {
  Calls<TypeParam> calls(CostKind::sqeuclidean);
  ThreadPool one(1);
  calls.all(one);
  ThreadPool pool(3);
  for (int call = 0; call < 30; ++call) calls.all(pool);
  EXPECT_LE(pool.num_workspace_allocations(), 2 * 3 * one.num_workspace_allocations());
  EXPECT_LE(pool.workspace_bytes(), 2 * 3 * one.workspace_bytes());
}

}  // namespace
}  // namespace kantor::kernels::test
