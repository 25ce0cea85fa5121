// A solve holds what its plan says: counted at operator new.

#include <gtest/gtest.h>

#include <algorithm>

#include "runtime/checkpoint/checkpoint_file.hpp"
#include "solvers/progot/plans.hpp"
#include "solvers/progot/progot.hpp"
#include "solvers/sinkhorn/sinkhorn.hpp"
#include "tests/solvers/small_problem.hpp"
#include "tests/support/large_allocations.hpp"
#include "tests/support/world.hpp"

namespace kantor::test {
namespace {

/// Without the moments, which would take all pairs.
Problem large_problem(const Cost& cost, const Sizes& sizes) {
  Problem problem;
  problem.cost = {.name = cost_name(cost.kind), .kernel = cost};
  problem.epsilon = .3;
  problem.statistics.mean = 1;
  const std::vector<double> mean(static_cast<std::size_t>(sizes.d), .5);
  problem.clouds = {
      {make_marginal(kernels::test::uniform(sizes.n * sizes.d, 0, 1, 1), sizes.d), mean},
      {make_marginal(kernels::test::uniform(sizes.m * sizes.d, 0, 1, 2), sizes.d), mean}};
  return problem;
}

struct Counted {
  double planned, held;
};

/// Brings each state to the bytes of its file, as a save does, and forgets it.
class ForgottenCheckpoints final : public Checkpoints {
 public:
  const checkpoint::Snapshot* restored() const override { return nullptr; }
  bool due(std::int64_t /*step*/) override { return true; }
  void save(checkpoint::Snapshot state) override { largest_ = std::max(largest_, bytes_of(state)); }
  std::size_t largest() const { return largest_; }

 private:
  static std::size_t bytes_of(const checkpoint::Snapshot& state) {
    return checkpoint::encode(state).size();
  }
  std::size_t largest_ = 0;
};

/// The same for any solve and its plans. @param threads of the pool. @param saves null: no saves.
template <class Plans, class Solve>
Counted count(const std::string& precision, int threads, const Plans& plans, const Solve& solve,
              Checkpoints* saves = nullptr) {
  TestRun run(world(), precision);
  ThreadPool pool(threads);
  Context context{.run = run.run,
                  .world = world(),
                  .pool = pool,
                  .log = run.log,
                  .metrics = run.metrics,
                  .checkpoints = saves != nullptr ? *saves : run.checkpoints};
  double planned = 0;
  for (const StoragePlan& plan : plans(context)) planned = std::max(planned, plan.chosen().bytes);
  const std::int64_t before = live_bytes();
  forget_most_live_bytes();
  const Outcome result = solve(context);
  EXPECT_EQ(result.storage->bytes_per_rank, static_cast<std::int64_t>(planned));
  return {planned, static_cast<double>(most_live_bytes() - before)};
}

sinkhorn::SinkhornConfig few_iterations(const std::string& storage) {
  sinkhorn::SinkhornConfig config;
  config.tolerance = 0;
  config.max_iterations = 3;
  config.storage = storage;
  return config;
}

Counted solve_counted(const Problem& problem, const sinkhorn::SinkhornConfig& config,
                      const std::string& precision, int threads) {
  return count(
      precision, threads,
      [&](Context& context) { return sinkhorn::storage_plans(config, problem, context); },
      [&](Context& context) {
        Outcome result = sinkhorn::solve(config, problem, context);
        EXPECT_EQ(result.storage->form, config.storage);
        return result;
      });
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
        expect_as_planned(solve_counted(problem, few_iterations(storage), precision, threads));
      }
    }
  }
}

TEST(StorageMemory, knows_what_costs_keep_of_the_points) {
  for (const Cost& cost : {Cost{CostKind::euclidean}, Cost{CostKind::pnorm, 2}}) {
    SCOPED_TRACE(cost_name(cost.kind));
    const Problem problem = large_problem(cost, {.n = 3000, .m = 2500, .d = 40});
    expect_as_planned(solve_counted(problem, few_iterations("streamed"), "float32", 1));
  }
}

// A cloud against itself may need far more than the problem: 6,000 x 6,000 costs here, not 6,000 x
// 100.
TEST(StorageMemory, of_a_divergence_is_that_of_its_largest_solve) {
  const Problem problem = large_problem({}, {.n = 6000, .m = 100, .d = 64});
  sinkhorn::SinkhornConfig config = few_iterations("materialised");
  config.divergence = true;
  const Counted counted = solve_counted(problem, config, "float32", 1);
  EXPECT_GT(counted.planned, 4 * 6000. * 6000.);
  expect_as_planned(counted);
}

TEST(StorageMemory, of_debiased_progot_is_that_of_both_solves_at_once) {
  const Problem problem = large_problem({}, {.n = 3000, .m = 3000, .d = 64});
  progot::ProgotConfig config;
  config.steps = 2;
  config.debiased = true;
  const sinkhorn::SinkhornConfig solves = few_iterations("materialised");
  const Counted counted = count(
      "float32", 1,
      [&](Context& context) { return progot::storage_plans(config, solves, problem, context); },
      [&](Context& context) { return progot::solve(config, solves, problem, context); });
  EXPECT_GT(counted.planned, 2 * 4 * 3000. * 3000.);
  expect_as_planned(counted);
}

/// So many solves that their potentials are most of what is held.
TEST(StorageMemory, of_progot_has_room_for_the_potentials_while_they_are_saved) {
  const Problem problem = large_problem({}, {.n = 20, .m = 20000, .d = 1});
  progot::ProgotConfig config;
  config.steps = 100;
  const sinkhorn::SinkhornConfig solves = few_iterations("streamed");
  ForgottenCheckpoints saves;
  const Counted counted = count(
      "float32", 1,
      [&](Context& context) { return progot::storage_plans(config, solves, problem, context); },
      [&](Context& context) { return progot::solve(config, solves, problem, context); }, &saves);
  EXPECT_GT(static_cast<double>(saves.largest()), 8 * 90 * 20000.);
  expect_as_planned(counted);
}

}  // namespace
}  // namespace kantor::test
