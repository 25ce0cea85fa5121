// What scratch.hpp says is what the pool's workspaces hold.

#include "runtime/kernels/scratch.hpp"

#include <gtest/gtest.h>

#include "runtime/kernels/absorbed/absorbed_kernel.hpp"
#include "tests/runtime/kernels/random_problem.hpp"

namespace kantor::kernels::test {
namespace {

template <class T>
class ScratchMemory : public testing::Test {};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(ScratchMemory, Types);

constexpr std::int64_t kRows = 1100, kColumns = 2300, kD = 5;

/// A pool's workspaces after the calls, and what was foretold.
template <class T>
void expect_foretold(CostKind kind, bool is_stored, int threads) {
  SCOPED_TRACE(static_cast<int>(kind));
  RandomProblem<T> problem({kind, 2}, {kRows, kColumns, kD});
  ThreadPool making(1);
  std::unique_ptr<CostMatrix<T>> matrix = problem.streamed();
  if (is_stored) matrix = std::make_unique<StoredCost<T>>(*matrix, making);
  const Reduction<T> reduction = problem.reduction(*matrix);
  const PassShape shape{kRows, kColumns, kD, kind, is_stored};
  std::vector<double> f(kRows), columns(kColumns);
  const auto held_after = [&](const auto& calls) {
    ThreadPool pool(threads);
    calls(pool);
    return static_cast<std::int64_t>(pool.workspace_bytes());
  };
  constexpr std::int64_t smallest_block = 1 << 16;
  const auto expect = [&](std::int64_t held, std::int64_t foretold) {
    if (threads == 1) {
      EXPECT_EQ(held, std::max(foretold, smallest_block));
    } else {  // a thread may have come too late for any work
      EXPECT_LE(held, foretold + threads * smallest_block);
    }
  };
  const auto weights = [&](ThreadPool& pool) {
    soft_min_weights<T>(reduction, problem.a, pool, f, columns);
  };
  const auto totals = [&](ThreadPool& pool) {
    rounded_plan_totals<T>(reduction, problem.a, problem.b, problem.b, 1, pool);
  };
  expect(held_after(weights), weights_scratch<T>(shape, threads).bytes());
  expect(held_after([&](ThreadPool& pool) {
           const UpdatedColumns wanted[] = {{{}, columns}, {{}, columns}};
           soft_min_weights<T>(reduction, problem.a, wanted, pool, f);
         }),
         weights_scratch<T>(shape, threads, 2).bytes());
  expect(held_after([&](ThreadPool& pool) { StoredCost<T>(*matrix, pool); }),
         store_scratch<T>(shape, threads).bytes());
  expect(held_after(totals), totals_scratch<T>(shape, threads).bytes());
  expect(held_after([&](ThreadPool& pool) { soft_min<T>(reduction, pool, f); }),
         soft_min_scratch<T>(shape, threads).bytes());
  for (const KernelFormat format : {KernelFormat::numbers, KernelFormat::codes}) {
    if (format == KernelFormat::codes && sizeof(T) != sizeof(float)) continue;
    expect(held_after([&](ThreadPool& pool) {
             AbsorbedKernel<T> kernel(format);
             kernel.absorb(reduction, problem.a, pool);
             kernel.weights(reduction.g, problem.a, pool, f, columns);
           }),
           absorbed_scratch<T>(shape, threads, format).bytes());
  }
  expect(held_after([&](ThreadPool& pool) { weights(pool), totals(pool); }),
         largest(weights_scratch<T>(shape, threads), totals_scratch<T>(shape, threads)).bytes());
}

TYPED_TEST(ScratchMemory, is_what_the_workspace_of_one_thread_holds) {
  for (const CostKind kind : {CostKind::sqeuclidean, CostKind::euclidean, CostKind::pnorm}) {
    expect_foretold<TypeParam>(kind, false, 1);
  }
  expect_foretold<TypeParam>(CostKind::dot, true, 1);
}

TYPED_TEST(ScratchMemory, bounds_what_many_threads_hold) {
  expect_foretold<TypeParam>(CostKind::sqeuclidean, false, 3);
  expect_foretold<TypeParam>(CostKind::dot, true, 3);
}

}  // namespace
}  // namespace kantor::kernels::test
