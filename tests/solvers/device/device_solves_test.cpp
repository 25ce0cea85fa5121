// Sinkhorn and ProgOT whose pairs are reduced by the kernels of a GPU, emulated on the host: the
// numbers of the host's kernels. Under mpirun with 1 to 3 ranks.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "distributed/collectively.hpp"
#include "runtime/core/error.hpp"
#include "runtime/data/npy.hpp"
#include "solvers/device/device_soft_min.hpp"
#include "solvers/progot/progot.hpp"
#include "solvers/sinkhorn/iteration.hpp"
#include "solvers/sinkhorn/oracle.hpp"
#include "solvers/sinkhorn/sinkhorn.hpp"
#include "tests/runtime/config/config_text.hpp"
#include "tests/solvers/rounding.hpp"
#include "tests/support/captured_stderr.hpp"
#include "tests/support/expect_near.hpp"
#include "tests/support/gpu_emulation/gpu_emulation.hpp"
#include "tests/support/temporary_directory.hpp"
#include "tests/support/thrown.hpp"
#include "tests/support/world.hpp"

namespace kantor::test {
namespace {

using sinkhorn::SinkhornConfig;
using ::testing::AllOf;
using ::testing::HasSubstr;

DeviceSoftMin emulated_device() {
  return DeviceSoftMin([]() -> const cuda::SoftMinKernels& { return emulated_kernels(); });
}

SinkhornConfig config_of(const std::string& storage = "auto") {
  SinkhornConfig config;
  config.tolerance = 1e-3;
  config.max_iterations = 100;
  config.storage = storage;
  return config;
}

Outcome solve(const SinkhornConfig& config, const Problem& problem, const std::string& precision,
              DeviceSoftMin* device) {
  TestRun run(world(), precision);
  run.context.pair_reducer = device;
  return sinkhorn::solve(config, problem, run.context);
}

Outcome solve(const progot::ProgotConfig& config, const Problem& problem,
              const std::string& precision, DeviceSoftMin* device,
              const SinkhornConfig& solves = config_of()) {
  TestRun run(world(), precision);
  run.context.pair_reducer = device;
  return progot::solve(config, solves, problem, run.context);
}

void expect_same(const Outcome& device, const Outcome& host, double tolerance) {
  EXPECT_EQ(device.iterations, host.iterations);
  EXPECT_EQ(device.iterations_per_step, host.iterations_per_step);
  EXPECT_EQ(device.fallback_iterations, host.fallback_iterations);
  EXPECT_EQ(device.converged, host.converged);
  EXPECT_NEAR(*device.objective, *host.objective, tolerance);
  EXPECT_NEAR(*device.transport_cost, *host.transport_cost, tolerance);
  EXPECT_NEAR(*device.kl, *host.kl, tolerance);
  EXPECT_NEAR(device.dual_value, host.dual_value, tolerance);
  expect_near(device.marginal_error, host.marginal_error, tolerance);
  expect_near(device.points, host.points, tolerance);
  ASSERT_EQ(device.potentials.size(), host.potentials.size());
  for (std::size_t k = 0; k < host.potentials.size(); ++k) {
    expect_near(device.potentials[k], host.potentials[k], tolerance);
  }
}

constexpr double kDoubleTolerance = 1e-12;  // as for other numbers of ranks (performance page)

/// By as many iterations whatever the rounding.
SinkhornConfig for_long() {
  SinkhornConfig config = config_of();
  config.tolerance = 0;
  config.max_iterations = 30;
  return config;
}

/// @param alike of points that have the problem's costs.
void expect_as_on_the_host(const Problem& problem, const Problem& alike, DeviceSoftMin& device) {
  const auto alone = make_self_communicator();
  const double condition = condition_of(alike, [&](const Problem& each) {
    TestRun run(*alone);
    return sinkhorn::solve(for_long(), each, run.context);
  });
  expect_same(solve(config_of(), problem, "float64", &device),
              solve(config_of(), problem, "float64", nullptr), rounding<double>(alike, condition));
  expect_same(solve(for_long(), problem, "float32", &device),
              solve(for_long(), problem, "float32", nullptr), rounding<float>(alike, condition));
}

/// The g of a second pair, whose rows alone are others, after the first.
std::vector<double> second_solution(const std::string& storage, const Problem& problem,
                                    DeviceSoftMin* device) {
  TestRun run(world());
  run.context.pair_reducer = device;
  SinkhornConfig config = config_of(storage);
  config.max_iterations = 1000;
  CheckpointScope nowhere;
  const auto oracle = sinkhorn::make_oracle(config, nowhere, run.context);
  Pair pair = pair_of(problem);
  std::vector<double> g = oracle->solve(pair, {}, 1e-9, nowhere).g;
  const data::Marginal& first = pair.x.marginal;
  pair.x = make_cloud(make_marginal(jittered(points_of(first), .2, 5), first.d(), first.weights()));
  return oracle->solve(pair, std::move(g), 1e-9, nowhere).g;
}

TEST(DeviceOracle, takes_other_rows_as_the_host_does) {
  DeviceSoftMin device = emulated_device();
  for (const char* storage : {"streamed", "materialised"}) {
    for (const Cost& cost : {Cost{CostKind::sqeuclidean}, Cost{CostKind::dot}}) {
      SCOPED_TRACE(concat(storage, " ", cost_name(cost.kind)));
      const Problem problem = random_problem(cost, .3, {.n = 70, .m = 67, .d = 3});
      expect_near(second_solution(storage, problem, &device),
                  second_solution(storage, problem, nullptr), 1e-9);
    }
  }
}

// 70 rows and columns are two tiles each way on one rank.
TEST(DeviceSinkhorn, computes_what_the_host_computes) {
  DeviceSoftMin device = emulated_device();
  for (const Cost& cost : kAllCosts) {
    const Problem problem = random_problem(cost, .3, {.n = 70, .m = 67, .d = 3});
    SCOPED_TRACE(cost_name(cost.kind));
    expect_as_on_the_host(problem, problem, device);
  }
}

TEST(DeviceSinkhorn, gives_the_same_bits_from_kept_costs_and_from_points) {
  DeviceSoftMin device = emulated_device();
  for (const Cost& cost : {kAllCosts[0], kAllCosts[4]}) {
    const Problem problem = random_problem(cost, .3, {.n = 70, .m = 67, .d = 3});
    const Outcome streamed = solve(config_of("streamed"), problem, "float32", &device);
    const Outcome kept = solve(config_of("materialised"), problem, "float32", &device);
    expect_same(kept, streamed, 0);
  }
}

TEST(DeviceSinkhorn, keeps_costs_of_many_dimensions_and_of_powers) {
  DeviceSoftMin device = emulated_device();
  const auto is_kept = [&](const Cost& cost, std::int64_t d, Storage storage) {
    TestRun run(world());
    run.context.pair_reducer = &device;
    const Problem problem = random_problem(cost, .3, {.n = 9, .m = 8, .d = d});
    return ShardedPairs<float>(pair_of(problem), {}, storage, run.context).storage() ==
           Storage::materialised;
  };
  EXPECT_FALSE(is_kept(kAllCosts[0], 3, Storage::automatic));
  EXPECT_TRUE(is_kept(kAllCosts[0], 3, Storage::materialised));
  EXPECT_TRUE(is_kept(kAllCosts[0], 64, Storage::automatic));
  EXPECT_FALSE(is_kept(kAllCosts[0], 64, Storage::streamed));
  EXPECT_TRUE(is_kept(kAllCosts[4], 3, Storage::automatic));
}

TEST(DeviceSinkhorn, goes_on_from_an_absorbed_kernel_of_the_host) {
  DeviceSoftMin device = emulated_device();
  const Problem problem = random_problem({}, .3, {.n = 40, .m = 30, .d = 3});
  TestRun host(world(), "float32");
  host.checkpoints = MemoryCheckpoints(1);
  const Outcome expected = sinkhorn::solve(config_of("absorbed"), problem, host.context);
  TestRun rest(world(), "float32");
  rest.checkpoints.resume_from(host.checkpoints.saved().at(2));
  rest.context.pair_reducer = &device;
  const Outcome result = sinkhorn::solve(config_of(), problem, rest.context);
  EXPECT_EQ(result.storage->form, "streamed");
  EXPECT_EQ(result.converged, true);
  EXPECT_NEAR(result.dual_value, expected.dual_value, 2e-3 * std::abs(expected.dual_value));
}

TEST(DeviceSinkhorn, goes_on_on_a_host_without_an_absorbed_kernel) {
  DeviceSoftMin device = emulated_device();
  const Problem problem = random_problem({}, .3, {.n = 400, .m = 300, .d = 40});
  TestRun begun(world(), "float32");
  begun.checkpoints = MemoryCheckpoints(1);
  begun.context.pair_reducer = &device;
  const Outcome expected = sinkhorn::solve(config_of(), problem, begun.context);
  TestRun rest(world(), "float32");
  rest.checkpoints.resume_from(begun.checkpoints.saved().at(2));
  const Outcome result = sinkhorn::solve(config_of(), problem, rest.context);
  EXPECT_EQ(result.converged, true);
  EXPECT_NEAR(result.dual_value, expected.dual_value, 2e-3 * std::abs(expected.dual_value));
}

TEST(DeviceSinkhorn, goes_on_from_kept_costs_of_the_host_where_there_is_no_room) {
  DeviceSoftMin device([]() -> const cuda::SoftMinKernels& { return emulated_kernels(); }, 0);
  const Problem problem = random_problem({}, .3, {.n = 40, .m = 30, .d = 3});
  TestRun host(world(), "float32");
  host.checkpoints = MemoryCheckpoints(1);
  sinkhorn::solve(config_of(), problem, host.context);
  checkpoint::Snapshot state = host.checkpoints.saved().at(2);
  state.metadata.integers.at("sinkhorn.storage") = static_cast<int>(Storage::materialised);
  TestRun rest(world(), "float32");
  rest.checkpoints.resume_from(state);
  rest.context.pair_reducer = &device;
  EXPECT_EQ(Outcome(sinkhorn::solve(config_of(), problem, rest.context)).storage->form, "streamed");
}

TEST(DeviceSinkhorn, reports_what_is_stored_and_predicts_nothing) {
  DeviceSoftMin device = emulated_device();
  for (const auto& [d, form] : {std::pair{3, "streamed"}, std::pair{64, "materialised"}}) {
    const Problem problem = random_problem({}, .3, {.n = 9, .m = 8, .d = d});
    for (const Outcome& result : {solve(config_of(), problem, "float32", &device),
                                  solve(progot::ProgotConfig{}, problem, "float32", &device)}) {
      ASSERT_TRUE(result.storage);
      EXPECT_EQ(result.storage->form, form);
      EXPECT_GT(result.storage->bytes_per_rank, 0);
      EXPECT_FALSE(result.storage->predicted_seconds_per_iteration);
      EXPECT_FALSE(result.storage->predicted_seconds_to_store);
    }
    TestRun run(world());
    run.context.pair_reducer = &device;
    const StoragePlan plan = sinkhorn::storage_plans(config_of(), problem, run.context).front();
    EXPECT_THAT(plan.text(), AllOf(HasSubstr("auto on the GPU: "), HasSubstr("with costs kept")));
  }
}

TEST(DeviceSinkhorn, moves_and_penalises_as_the_host_does) {
  DeviceSoftMin device = emulated_device();
  for (const std::int64_t n : {70, 2}) {  // 2 rows on 3 ranks: 1, 1, 0
    Problem problem = random_problem({}, .1, {.n = n, .m = 38, .d = 3});
    for (const Penalty& rho : {Penalty{}, Penalty{1, 2}, Penalty{.5}}) {
      rho_of(problem) = rho;
      SinkhornConfig config = config_of();
      config.momentum = {.weight = 1.3, .is_adaptive = false};
      config.epsilon_decay = sinkhorn::EpsilonDecayConfig{4, .7};
      expect_same(solve(config, problem, "float64", &device),
                  solve(config, problem, "float64", nullptr), kDoubleTolerance);
    }
  }
}

TEST(DeviceSinkhorn, brings_back_columns_that_have_vanished) {
  DeviceSoftMin device = emulated_device();
  const Problem problem =
      make_problem({}, .01, make_marginal({0, .1, .2, .3}, 1), make_marginal({0, .1, 10, 10.1}, 1));
  const Outcome host = solve(config_of(), problem, "float64", nullptr);
  EXPECT_GT(host.fallback_iterations, 0);
  // Costs of 2500 carry 5e-13.
  expect_same(solve(config_of(), problem, "float64", &device), host, 1e-10);
}

TEST(DeviceSinkhorn, solves_each_marginal_against_itself) {
  DeviceSoftMin device = emulated_device();
  const Problem problem = random_problem({}, .3, {.n = 40, .m = 38, .d = 3});
  SinkhornConfig config = config_of();
  config.divergence = true;
  const Outcome mine = solve(config, problem, "float64", &device);
  const Outcome host = solve(config, problem, "float64", nullptr);
  expect_same(mine, host, kDoubleTolerance);
  EXPECT_NEAR(mine.divergence->value, host.divergence->value, kDoubleTolerance);
}

TEST(DeviceSinkhorn, takes_a_file_of_costs) {
  DeviceSoftMin device = emulated_device();
  const TemporaryDirectory folder;
  const Problem points = random_problem({}, .3, {.n = 70, .m = 67, .d = 3});
  const std::int64_t shape[] = {70, 67};
  data::write_npy(folder.file("C.npy"), costs_of(points), shape);
  config::Value resolved{config::Table{}, "", ""};
  const ProblemConfig read = config::read<ProblemConfig>(
      parsed(concat("[problem]\ncost = \"matrix\"\nepsilon = 0.3\ncost_file = \"",
                    folder.file("C.npy"), "\"\n")),
      "problem", resolved);
  TestRun run(world());
  const Problem problem = load_problem(read, run.context);
  expect_as_on_the_host(problem, points, device);
}

TEST(DeviceSinkhorn, goes_on_to_the_same_bits) {
  DeviceSoftMin device = emulated_device();
  const Problem problem = random_problem({}, .05, {.n = 45, .m = 38, .d = 2});
  TestRun whole(world(), "float32");
  whole.context.pair_reducer = &device;
  whole.checkpoints = MemoryCheckpoints(1);
  const Outcome expected = sinkhorn::solve(config_of(), problem, whole.context);
  ASSERT_GT(whole.checkpoints.saved().size(), 5u);
  TestRun rest(world(), "float32");
  rest.context.pair_reducer = &device;
  rest.checkpoints.resume_from(whole.checkpoints.saved().at(5));
  expect_same(sinkhorn::solve(config_of(), problem, rest.context), expected, 0);
}

TEST(DeviceSinkhorn, refuses_on_all_ranks_costs_that_it_has_no_room_for) {
  const auto load = []() -> const cuda::SoftMinKernels& { return emulated_kernels(); };
  const Problem problem = random_problem({}, .3, {.n = 45, .m = 38, .d = 3});
  // The last rank holds fewer rows, for which there would be room.
  const std::int64_t most_rows = (45 + world().size() - 1) / world().size();
  DeviceSoftMin short_of_memory(load, static_cast<double>(most_rows) * 40 * 4 - 1);
  const auto ask = [&] { solve(config_of("materialised"), problem, "float32", &short_of_memory); };
  if (world().rank() == 0) {
    EXPECT_THAT(message_of<ConfigError>(ask),
                AllOf(HasSubstr("solver.sinkhorn.storage = \"materialised\" needs"),
                      HasSubstr("of the GPU")));
  } else {
    EXPECT_THROW(ask(), PeerError);
  }
  expect_same(solve(config_of(), problem, "float32", &short_of_memory),
              solve(config_of("streamed"), problem, "float32", &short_of_memory), 0);
}

TEST(DeviceSinkhorn, does_without_kernels_that_cannot_be_had) {
  CapturedStderr told;
  DeviceSoftMin device([]() -> const cuda::SoftMinKernels& { throw ConfigError("no library"); });
  const Problem problem = random_problem({}, .3, {.n = 45, .m = 38, .d = 3});
  expect_same(solve(config_of(), problem, "float64", &device),
              solve(config_of(), problem, "float64", nullptr), kDoubleTolerance);
  EXPECT_THAT(told.text(), HasSubstr("are not used: no library"));
}

TEST(DeviceProgot, computes_what_the_host_computes) {
  DeviceSoftMin device = emulated_device();
  const auto alone = make_self_communicator();
  progot::ProgotConfig config;
  config.steps = 3;
  for (const bool is_debiased : {false, true}) {
    config.debiased = is_debiased;
    for (const Cost& cost : kAllCosts) {
      if (cost.kind == CostKind::euclidean) continue;  // has no map
      const Problem problem = random_problem(cost, .3, {.n = 45, .m = 38, .d = 3});
      SCOPED_TRACE(concat(cost_name(cost.kind), is_debiased ? " debiased" : ""));
      progot::ProgotConfig whole = config;
      whole.first_tolerance = 0;
      const double condition = condition_of(problem, [&](const Problem& each) {
        TestRun run(*alone);
        return progot::solve(whole, for_long(), each, run.context);
      });
      expect_same(solve(config, problem, "float64", &device),
                  solve(config, problem, "float64", nullptr), rounding<double>(problem, condition));
      expect_same(solve(whole, problem, "float32", &device, for_long()),
                  solve(whole, problem, "float32", nullptr, for_long()),
                  rounding<float>(problem, condition));
    }
  }
}

}  // namespace
}  // namespace kantor::test
