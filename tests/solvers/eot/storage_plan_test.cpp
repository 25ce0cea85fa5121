#include <gtest/gtest.h>

#include <string>

#include "runtime/core/text.hpp"
#include "solvers/eot/storage/plan.hpp"
#include "solvers/sinkhorn/sinkhorn.hpp"
#include "tests/solvers/small_problem.hpp"
#include "tests/support/captured_stderr.hpp"
#include "tests/support/thrown.hpp"
#include "tests/support/world.hpp"

namespace kantor::test {
namespace {

constexpr double kPlenty = 1e15;
constexpr InstructionSet kSets[] = {InstructionSet::portable, InstructionSet::avx2,
                                    InstructionSet::avx512};

SolveShape square(std::int64_t n, std::int64_t d, int threads = 2) {
  return {.rows = n, .n = n, .m = n, .d = d, .threads = threads};
}

Storage choice(const SolveShape& shape, double budget, InstructionSet set,
               const Workload& workload = {.iterations = 100, .refreshes = 4}) {
  StoragePlan plan = estimate_storage(shape, set);
  plan.budget = budget;
  return choose_storage(plan, workload);
}

TEST(StorageChoice, streams_the_fewest_dimensions_where_vectors_are_wide) {
  EXPECT_EQ(choice(square(8192, 2), kPlenty, InstructionSet::avx512), Storage::streamed);
  SolveShape shape = square(8192, 16);
  EXPECT_EQ(choice(shape, kPlenty, InstructionSet::avx512), Storage::absorbed16);
  shape.is_double = true;
  EXPECT_EQ(choice(shape, kPlenty, InstructionSet::avx512), Storage::absorbed);
  EXPECT_NE(choice(square(8192, 784), kPlenty, InstructionSet::avx512), Storage::streamed);
}

TEST(StorageChoice, materialises_60000_images_on_a_machine_of_24_gb) {
  const double budget = .85 * 20.5e9;
  for (const InstructionSet set : kSets) {
    EXPECT_EQ(choice(square(60000, 1024), budget, set), Storage::materialised);
    EXPECT_EQ(choice(square(60000, 1024), budget / 2, set), Storage::streamed);
  }
}

TEST(StorageChoice, needs_a_tenth_to_spare) {
  const SolveShape shape = square(8192, 784);
  const double bytes = estimate_storage(shape, InstructionSet::avx512).materialised.bytes;
  EXPECT_EQ(choice(shape, 1.11 * bytes, InstructionSet::avx512, {}), Storage::materialised);
  EXPECT_EQ(choice(shape, 1.09 * bytes, InstructionSet::avx512, {}), Storage::streamed);
}

TEST(StorageChoice, stores_nothing_that_is_read_once) {
  for (const InstructionSet set : kSets) {
    EXPECT_EQ(choice(square(8192, 16), kPlenty, set, {.iterations = 1, .refreshes = 4}),
              Storage::streamed);
  }
}

TEST(StorageChoice, absorbs_only_what_iterations_can_read_and_does_not_drift) {
  const SolveShape shape = square(8192, 64);
  const auto with = [&](double refreshes) {
    return choice(shape, kPlenty, InstructionSet::avx512, {1000, refreshes});
  };
  EXPECT_EQ(with(4), Storage::absorbed16);
  EXPECT_EQ(choice(shape, kPlenty, InstructionSet::avx512,
                   {.iterations = 1000, .refreshes = 4, .reads_codes = false}),
            Storage::absorbed);
  EXPECT_EQ(with(1000), Storage::materialised);
  EXPECT_EQ(with(0), Storage::materialised);
}

TEST(StorageChoice, does_not_depend_on_threads) {
  for (const InstructionSet set : kSets) {
    for (const std::int64_t n : {10, 56, 80, 150, 800, 1500, 8192}) {
      for (std::int64_t d = 2; d < 130; d += 1 + d / 32) {
        for (const bool is_double : {false, true}) {
          SolveShape one = square(n, d, 1), many = square(n, d, 7);
          one.is_double = many.is_double = is_double;
          EXPECT_EQ(choice(one, kPlenty, set), choice(many, kPlenty, set)) << n << ", " << d;
        }
      }
    }
  }
}

TEST(StorageChoice, knows_that_other_costs_are_dearer) {
  SolveShape shape = square(8192, 16);
  for (const CostKind cost : {CostKind::euclidean, CostKind::pnorm}) {
    shape.cost = cost;
    EXPECT_EQ(choice(shape, kPlenty, InstructionSet::avx512, {}), Storage::materialised);
  }
}

TEST(StorageBytes, count_what_is_stored_on_top_of_what_is_streamed) {
  SolveShape shape = square(8192, 16);
  const double matrix = 8192. * 8192.;
  StoragePlan plan = estimate_storage(shape, InstructionSet::avx512);
  EXPECT_EQ(plan.streamed.stored_bytes, 0);
  EXPECT_EQ(plan.materialised.stored_bytes, 4 * matrix);
  EXPECT_LT(plan.streamed.bytes, 30e6);
  EXPECT_NEAR(plan.materialised.bytes, 4 * matrix, 30e6);
  EXPECT_NEAR(plan.absorbed.bytes, 4 * matrix, 30e6);
  EXPECT_EQ(plan.absorbed16.stored_bytes, 2 * 8192. * (8192 + 32));  // an odd number of lines
  EXPECT_NEAR(plan.absorbed16.bytes, 2 * matrix, 30e6);
  shape.m = 33;
  EXPECT_EQ(estimate_storage(shape, InstructionSet::avx512).absorbed16.stored_bytes,
            2 * 8192. * 96);
  EXPECT_EQ(estimate_storage(shape, InstructionSet::avx512).absorbed.stored_bytes, 4 * 8192. * 48);
  shape.m = 8192;
  shape.is_double = true;
  EXPECT_EQ(estimate_storage(shape, InstructionSet::avx512).absorbed.stored_bytes, 8 * matrix);
  shape.has_matrix = true;  // once each way
  plan = estimate_storage(shape, InstructionSet::avx512);
  EXPECT_EQ(plan.materialised.stored_bytes, 16 * matrix);
  EXPECT_EQ(plan.absorbed.stored_bytes, 24 * matrix);
  EXPECT_EQ(plan.absorbed16.bytes, 0);  // there is none
  shape.is_double = false;              // in double for the evaluation
  EXPECT_EQ(estimate_storage(shape, InstructionSet::avx512).materialised.stored_bytes, 16 * matrix);
}

std::string refusal(const SolveShape& shape, Storage asked, double budget,
                    const Workload& workload = {}, const std::string& deterministic = "false") {
  TestRun run(world());
  run.run.deterministic = deterministic;
  return message_of<ConfigError>(
      [&] { plan_storage(shape, asked, workload, budget, run.context); });
}

TEST(StorageRefusal, names_bytes_budget_and_remedy) {
  const SolveShape shape = square(8192, 16);
  for (const Storage asked : {Storage::materialised, Storage::absorbed}) {
    const std::string message = refusal(shape, asked, 200e6);
    const double needed = 1.1 * estimate_storage(shape, instruction_set()).of(asked).bytes;
    for (const std::string& word : {concat("\"", name_of(asked), "\" needs ", format_bytes(needed)),
                                    std::string("200.0 MB"), std::string("\"streamed\"")}) {
      EXPECT_NE(message.find(word), std::string::npos) << message;
    }
  }
  const std::string nothing = refusal(shape, Storage::automatic, 1e6);
  EXPECT_NE(nothing.find("more hosts"), std::string::npos) << nothing;
}

TEST(StorageChoice, goes_on_with_what_was_begun_while_it_fits) {
  const SolveShape shape = square(8192, 16);
  for (const Storage begun : {Storage::streamed, Storage::materialised, Storage::absorbed}) {
    TestRun run(world());
    const auto plan = [&](Storage asked, double budget) {
      const Workload workload{.refreshes = 4, .begun_with = begun};
      return plan_storage(shape, asked, workload, budget, run.context).form;
    };
    EXPECT_EQ(plan(Storage::automatic, kPlenty), begun);
    EXPECT_EQ(plan(Storage::automatic, 200e6), Storage::streamed);
    EXPECT_EQ(plan(Storage::absorbed, kPlenty), Storage::absorbed);
    EXPECT_THROW(plan(Storage::absorbed, 200e6), ConfigError);
  }
  TestRun run(world());
  const Workload coded{.refreshes = 4, .begun_with = Storage::absorbed16};
  EXPECT_EQ(plan_storage(shape, Storage::automatic, coded, 200e6, run.context).form,
            Storage::absorbed16);  // half as large
}

TEST(StorageChoice, of_a_run_begun_without_an_absorbed_kernel_is_none) {
  const SolveShape shape = square(8192, 16);
  TestRun run(world());
  Workload workload{.refreshes = 4};
  const auto form = [&] {
    return plan_storage(shape, Storage::automatic, workload, kPlenty, run.context).form;
  };
  EXPECT_TRUE(is_absorbed(form()));
  workload.begun_with = Storage::automatic;  // on a GPU
  EXPECT_FALSE(is_absorbed(form()));
}

TEST(StorageChoice, warns_where_it_cannot_go_on_with_what_was_begun) {
  for (const double budget : {kPlenty, 200e6}) {
    TestRun run(world());
    const CapturedStderr captured;
    plan_storage(square(8192, 16), Storage::automatic, {.begun_with = Storage::materialised},
                 budget, run.context);
    const std::string text = captured.text();
    EXPECT_EQ(text.find("began with its costs materialised") != std::string::npos, budget < 1e9)
        << text;
  }
}

/// Kernels in 16 bits are read fastest; once at their floor, another form is made and read.
TEST(StorageChoice, counts_the_iterations_that_16_bits_do_not_lead) {
  const SolveShape shape = square(4096, 64, 1);
  for (const InstructionSet set : kSets) {
    const Workload led{.iterations = 305, .refreshes = 4};
    EXPECT_EQ(choice(shape, kPlenty, set, led), Storage::absorbed16);
    const Workload mostly_led{.iterations = 305, .refreshes = 4, .tail_iterations = 5};
    EXPECT_EQ(choice(shape, kPlenty, set, mostly_led), Storage::absorbed16);
    const Workload hardly_led{.iterations = 305, .refreshes = 4, .tail_iterations = 304};
    EXPECT_EQ(choice(shape, kPlenty, set, hardly_led), Storage::absorbed);
  }
}

TEST(StorageRefusal, of_16_bits_in_float64_names_what_there_is) {
  SolveShape shape = square(30, 3);
  shape.is_double = true;
  const std::string message = refusal(shape, Storage::absorbed16, kPlenty);
  for (const char* word : {"\"absorbed16\"", "float64", "\"absorbed\"", "\"float32\""}) {
    EXPECT_NE(message.find(word), std::string::npos) << message;
  }
  StoragePlan plan = estimate_storage(shape, InstructionSet::avx512);
  plan.budget = kPlenty;
  EXPECT_EQ(plan.text().find("absorbed16"), std::string::npos) << plan.text();
  EXPECT_NE(choose_storage(plan, {.iterations = 1e6, .refreshes = 1}), Storage::absorbed16);
}

TEST(StorageRefusal, of_a_matrix_names_its_file) {
  SolveShape shape = square(8192, 1);
  shape.has_matrix = true;
  for (const Storage asked : {Storage::automatic, Storage::absorbed}) {
    const std::string message = refusal(shape, asked, 1e9);
    EXPECT_NE(message.find("problem.cost_file"), std::string::npos) << message;
  }
}

TEST(StorageRefusal, of_strict_runs_counts_what_is_stored_alone) {
  TestRun run(world());
  run.run.deterministic = "strict";
  const auto plan = [&](double budget) {
    return plan_storage(square(8192, 784), Storage::automatic, {}, budget, run.context).form;
  };
  const double matrix = 4 * 8192. * 8192.;
  EXPECT_EQ(plan(matrix), Storage::materialised);
  EXPECT_EQ(plan(matrix - 1), Storage::streamed);
  EXPECT_EQ(memory_budget(run.context), 256e6);
  const std::string message =
      refusal(square(8192, 784), Storage::materialised, 256e6, {}, "strict");
  EXPECT_NE(message.find("strict"), std::string::npos) << message;
}

TEST(StoragePlan, tells_all_forms) {
  StoragePlan plan = estimate_storage(square(8192, 16), InstructionSet::avx512);
  plan.budget = 200e6;
  plan.streamed.seconds_per_iteration = 9.4e-3;
  const std::string text = plan.text();
  EXPECT_EQ(text.rfind("streamed: ", 0), 0u) << text;
  for (const char* word : {"9.4 ms an iteration predicted", "materialised", "absorbed",
                           "absorbed16", "a refresh: too large", " once: too large", " per rank"}) {
    EXPECT_NE(text.find(word), std::string::npos) << text;
  }
}

/// What a solve saves, and the results of runs that go on from it.
TEST(StorageRecord, lets_a_run_go_on_with_the_form_it_began_with) {
  const Problem problem = random_problem({}, .3, {.n = 40, .m = 30, .d = 3});
  sinkhorn::SinkhornConfig config;
  config.tolerance = 1e-6;
  config.divergence = true;
  const auto solved = [&](const std::string& storage, MemoryCheckpoints checkpoints,
                          MemoryCheckpoints* kept = nullptr) {
    TestRun run(world(), "float32");
    run.checkpoints = std::move(checkpoints);
    config.storage = storage;
    Outcome result = sinkhorn::solve(config, problem, run.context);
    if (kept != nullptr) *kept = run.checkpoints;
    return result;
  };
  MemoryCheckpoints kept;
  solved("auto", MemoryCheckpoints(1), &kept);
  ASSERT_GT(kept.saved().size(), 4u);
  for (const Storage form :
       {Storage::streamed, Storage::materialised, Storage::absorbed, Storage::absorbed16}) {
    MemoryCheckpoints whole;
    const Outcome expected = solved(name_of(form), MemoryCheckpoints(1), &whole);
    MemoryCheckpoints rest;
    rest.resume_from(whole.saved().at(3));
    const Outcome result = solved("auto", rest);
    EXPECT_EQ(result.storage->form, name_of(form));
    EXPECT_EQ(result.potentials, expected.potentials);  // to the bit
  }
  for (const char* name : {"sinkhorn.storage", "sinkhorn.storage_xx", "sinkhorn.storage_yy"}) {
    EXPECT_TRUE(kept.saved().back().metadata.integers.contains(name)) << name;
  }
  // Checkpoints of older versions say nothing of it.
  checkpoint::Snapshot old = kept.saved().at(3);
  old.metadata.integers.erase("sinkhorn.storage");
  MemoryCheckpoints rest;
  rest.resume_from(old);
  EXPECT_EQ(solved("auto", rest).storage->form, solved("auto", MemoryCheckpoints()).storage->form);
}

TEST(StorageReport, holds_what_was_predicted_and_what_came) {
  TestRun run(world(), "float32");
  sinkhorn::SinkhornConfig config;
  config.tolerance = 0;
  config.max_iterations = 5;
  for (const std::string storage : {"streamed", "materialised", "absorbed", "absorbed16"}) {
    config.storage = storage;
    const Outcome result = sinkhorn::solve(config, golden_problem(), run.context);
    ASSERT_TRUE(result.storage.has_value());
    EXPECT_EQ(result.storage->form, storage);
    EXPECT_GT(result.storage->bytes_per_rank, (8 + 6) * 2 * 4);
    EXPECT_GT(result.storage->predicted_seconds_per_iteration, 0);
    EXPECT_GT(result.storage->seconds_per_iteration.value(), 0);
    EXPECT_EQ(result.storage->refreshes > 0, storage.starts_with("absorbed"));
    EXPECT_EQ(result.storage->seconds_to_store > 0, storage != "streamed");
  }
  config.max_iterations = 1;  // which measures nothing but itself
  EXPECT_GT(Outcome(sinkhorn::solve(config, golden_problem(), run.context))
                .storage->seconds_per_iteration.value(),
            0);
}

}  // namespace
}  // namespace kantor::test
