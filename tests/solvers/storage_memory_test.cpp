// A solve holds what its plan says: counted at operator new.

#include <gtest/gtest.h>

#include "solvers/sinkhorn/sinkhorn.hpp"
#include "tests/solvers/small_problem.hpp"
#include "tests/support/large_allocations.hpp"
#include "tests/support/world.hpp"

namespace kantor::test {
namespace {

/// Without the moments, which would take all pairs.
Problem large_problem(const Cost& cost, const Sizes& sizes) {
  Problem problem;
  problem.cost = cost;
  problem.epsilon = .3;
  problem.mean_cost = 1;
  problem.marginals = {make_marginal(kernels::test::uniform(sizes.n * sizes.d, 0, 1, 1), sizes.d),
                       make_marginal(kernels::test::uniform(sizes.m * sizes.d, 0, 1, 2), sizes.d)};
  problem.centre.assign(static_cast<std::size_t>(sizes.d), .5);
  problem.means = {problem.centre, problem.centre};
  return problem;
}

struct Counted {
  double planned, held;
};

Counted solve_counted(const Problem& problem, const std::string& storage,
                      const std::string& precision, int threads) {
  TestRun run(world(), precision);
  ThreadPool pool(threads);
  Context context{.run = run.run,
                  .world = world(),
                  .pool = pool,
                  .log = run.log,
                  .metrics = run.metrics,
                  .checkpoints = run.checkpoints};
  sinkhorn::SinkhornConfig config;
  config.tolerance = 0;
  config.max_iterations = 3;
  config.storage = storage;
  const double planned = sinkhorn::storage_plan(config, problem, context).chosen().bytes;
  const std::int64_t before = live_bytes();
  forget_most_live_bytes();
  const Result result = sinkhorn::solve(config, problem, context);
  EXPECT_EQ(result.storage->form, storage);
  EXPECT_EQ(result.storage->bytes_per_rank, static_cast<std::int64_t>(planned));
  return {planned, static_cast<double>(most_live_bytes() - before)};
}

// Beyond the plan: buffers of 64 kB, and what is small. Short of it: vectors that do not live at
// the same time.
void expect_as_planned(const Counted& counted) {
  EXPECT_LE(counted.held, 1.1 * counted.planned);
  EXPECT_GE(counted.held, counted.planned / 1.2);
}

TEST(StorageMemory, of_a_solve_is_what_the_plan_says) {
  const Problem problem = large_problem({}, {.n = 9000, .m = 7000, .d = 8});
  for (const std::string storage : {"streamed", "materialised", "absorbed", "absorbed16"}) {
    for (const std::string precision : {"float32", "float64"}) {
      if (storage == "absorbed16" && precision == "float64") continue;
      for (const int threads : {1, 3}) {
        SCOPED_TRACE(concat(storage, ", ", precision, ", ", threads, " threads"));
        expect_as_planned(solve_counted(problem, storage, precision, threads));
      }
    }
  }
}

TEST(StorageMemory, knows_what_costs_keep_of_the_points) {
  for (const Cost& cost : {Cost{CostKind::euclidean}, Cost{CostKind::pnorm, 2}}) {
    SCOPED_TRACE(cost_name(cost.kind));
    const Problem problem = large_problem(cost, {.n = 3000, .m = 2500, .d = 40});
    expect_as_planned(solve_counted(problem, "streamed", "float32", 1));
  }
}

}  // namespace
}  // namespace kantor::test
