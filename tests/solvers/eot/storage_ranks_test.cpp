// Ranks as threads: one choice, whatever memory each of them has.

#include <gtest/gtest.h>

#include "runtime/core/error.hpp"
#include "solvers/eot/storage/plan.hpp"
#include "solvers/progot/progot.hpp"
#include "tests/solvers/small_problem.hpp"
#include "tests/support/world.hpp"

namespace kantor::test {
namespace {

struct StorageRanks : OnAllRanks {};

bool is_last() { return world().rank() == world().size() - 1; }

TEST_F(StorageRanks, choose_by_the_least_memory_and_the_largest_shard) {
  TestRun run(world());
  SolveShape shape{.rows = 8192, .n = 8192, .m = 8192, .d = 784, .threads = 2};
  const auto plan = [&](double budget) {
    return plan_storage(shape, Storage::automatic, {}, budget, run.context);
  };
  EXPECT_EQ(plan(1e12).form, Storage::materialised);
  const StoragePlan short_plan = plan(is_last() ? 200e6 : 1e12);
  EXPECT_EQ(short_plan.form, Storage::streamed);
  EXPECT_EQ(short_plan.budget, 200e6);
  shape.threads = is_last() ? 16 : 1;
  const StoragePlan threads = plan(1e12);
  std::vector<double> bytes = {threads.streamed.bytes, -threads.streamed.bytes};
  world().all_reduce<double>(bytes, ReduceOp::max, "bytes");
  EXPECT_EQ(bytes[0], -bytes[1]);  // the same on all ranks
}

TEST_F(StorageRanks, refuse_together_what_does_not_fit_on_one) {
  TestRun run(world());
  const SolveShape shape{.rows = 8192, .n = 8192, .m = 8192, .d = 784, .threads = 2};
  EXPECT_THROW(
      plan_storage(shape, Storage::materialised, {}, is_last() ? 200e6 : 1e12, run.context), Error);
  // They are still in step.
  EXPECT_EQ(world().agree(world().rank(), "still there"), world().size() - 1);
}

TEST_F(StorageRanks, go_on_with_the_forms_that_progot_began_with) {
  const Problem problem = random_problem({}, .3, {.n = 24, .m = 20, .d = 2});
  progot::ProgotConfig config;
  config.steps = 3;
  config.debiased = true;
  sinkhorn::SinkhornConfig solves;
  solves.tolerance = 1e-5;
  for (const Storage form :
       {Storage::streamed, Storage::materialised, Storage::absorbed, Storage::absorbed16}) {
    TestRun whole(world(), "float32");
    whole.checkpoints = MemoryCheckpoints(1);
    solves.storage = name_of(form);
    const Outcome expected = progot::solve(config, solves, problem, whole.context);
    EXPECT_EQ(expected.storage->form, name_of(form));
    for (const std::size_t at : {std::size_t{1}, whole.checkpoints.saved().size() - 2}) {
      TestRun rest(world(), "float32");
      rest.checkpoints.resume_from(whole.checkpoints.saved().at(at));
      EXPECT_TRUE(rest.checkpoints.restored()->metadata.integers.contains("progot.storage_self"));
      solves.storage = "auto";
      const Outcome result = progot::solve(config, solves, problem, rest.context);
      EXPECT_EQ(result.storage->form, name_of(form));
      EXPECT_EQ(result.potentials, expected.potentials);  // to the bit
      EXPECT_EQ(result.points, expected.points);
    }
  }
}

}  // namespace
}  // namespace kantor::test
