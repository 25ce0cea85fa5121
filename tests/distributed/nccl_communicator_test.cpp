// The NCCL back end alone, on the look-alike: buffers in device memory, set-up, its refusals.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <optional>
#include <span>
#include <vector>

#include "distributed/shared_gpus.hpp"
#include "runtime/core/error.hpp"
#include "tests/distributed/contract.hpp"
#include "tests/distributed/device_buffer.hpp"
#include "tests/distributed/nccl_world.hpp"
#include "tests/support/fake_gpu/fake_gpu.hpp"

namespace kantor::test {
namespace {

using testing::HasSubstr;

std::size_t num_ranks() { return static_cast<std::size_t>(world().size()); }
bool is_last() { return world().rank() == world().size() - 1; }

/// What the bring-up says on this rank; "" if it went well.
struct Refusal {
  std::string message;
  std::optional<ExitCode> code;
};
Refusal bring_up(const NcclOptions& options = {}) {
  try {
    make_nccl(options);
    return {};
  } catch (const Error& error) {
    EXPECT_TRUE(error.is_agreed()) << "main would abort: " << error.what();
    return {error.what(), error.exit_code()};
  }
}

/// All ranks leave with the code; the first of those that met the error says what it is.
void expect_refused(const Refusal& refusal, bool speaks, ExitCode code, const std::string& words) {
  EXPECT_EQ(refusal.code, code) << refusal.message;
  EXPECT_THAT(refusal.message, HasSubstr(speaks ? words : "another rank failed"));
}

}  // namespace

TEST(NcclCommunicator, is_nccl) { EXPECT_EQ(world().backend_name(), "nccl"); }

template <class T>
struct NcclDevice : testing::Test {};
using DeviceTypes = testing::Types<float, double, std::int32_t, std::int64_t>;
TYPED_TEST_SUITE(NcclDevice, DeviceTypes);

TYPED_TEST(NcclDevice, buffers_go_as_they_are_on_the_callers_stream) {
  using T = TypeParam;
  void* stream = fake_gpu::make_stream();
  const auto ranks = make_nccl({.stream = [stream] { return stream; }});
  const int last = ranks->size() - 1;
  for (const std::size_t size : {std::size_t{1}, std::size_t{1023}}) {
    const auto mine = values<T>(ranks->rank(), size);
    const auto mine_for_all = values<T>(ranks->rank(), size * num_ranks());
    const std::vector<T> none(size);
    const std::vector<T> none_for_all(size * num_ranks());
    DeviceBuffer<T> sum(mine), copy(mine), part(mine), all(none_for_all), whole(mine_for_all),
        slice(none);
    fake_gpu::inject("");
    const int before = fake_gpu::num_enqueued(stream);
    ranks->all_reduce(sum.span(), ReduceOp::sum, "sum");
    ranks->broadcast(copy.span(), last, "copy");
    ranks->all_gather(constant(part.span()), all.span(), "all");
    ranks->reduce_scatter(constant(whole.span()), slice.span(), "slice");
    EXPECT_EQ(fake_gpu::num_enqueued(stream) - before, 4 * 2) << "each verb and its event";
    EXPECT_EQ(fake_gpu::calls()["cudaMemcpyAsync"], 0);
    ranks->synchronize();

    // The same through host memory.
    auto host_sum = mine, host_copy = mine;
    std::vector<T> host_all(size * num_ranks()), host_slice(size);
    ranks->all_reduce(std::span(host_sum), ReduceOp::sum, "sum");
    ranks->broadcast(std::span(host_copy), last, "copy");
    ranks->all_gather(std::span<const T>(mine), std::span(host_all), "all");
    ranks->reduce_scatter(std::span<const T>(mine_for_all), std::span(host_slice), "slice");
    EXPECT_EQ(sum.values(), host_sum);
    EXPECT_EQ(copy.values(), host_copy);
    EXPECT_EQ(all.values(), host_all);
    EXPECT_EQ(slice.values(), host_slice);
    EXPECT_EQ(whole.values(), mine_for_all) << "the input was changed";
  }
}

TYPED_TEST(NcclDevice, parts_may_lie_elsewhere_than_wholes) {
  using T = TypeParam;
  const auto mine = values<T>(world().rank(), 33);
  std::vector<T> all(33 * num_ranks());
  world().all_gather(constant(DeviceBuffer<T>(mine).span()), std::span(all), "to the host");
  const DeviceBuffer<T> device_all(std::vector<T>(33 * num_ranks()));
  world().all_gather(std::span<const T>(mine), device_all.span(), "to the device");
  EXPECT_EQ(device_all.values(), all);
  for (int rank = 0; rank < world().size(); ++rank) {
    EXPECT_EQ(all[33 * static_cast<std::size_t>(rank) + 32], value<T>(rank, 32));
  }
}

TYPED_TEST(NcclDevice, maximum_is_that_of_the_contract) {
  using T = TypeParam;
  const int ranks = world().size();
  auto mine = values<T>(world().rank(), 129);
  auto expected = values<T>(0, 129);
  for (int rank = 1; rank < ranks; ++rank) {
    for (std::size_t i = 0; i < 129; ++i) expected[i] = std::max(expected[i], value<T>(rank, i));
  }
  if constexpr (std::is_floating_point_v<T>) {
    if (is_last()) mine[5] = -std::numeric_limits<T>::quiet_NaN();
  }
  const DeviceBuffer<T> largest(mine);
  world().all_reduce(largest.span(), ReduceOp::max, "largest");
  world().synchronize();
  auto found = largest.values();
  if constexpr (std::is_floating_point_v<T>) {
    EXPECT_TRUE(std::isnan(found[5]));
    found[5] = expected[5];
  }
  EXPECT_EQ(found, expected);
}

TEST(NcclCommunicator, allocates_nothing_once_it_has_seen_the_largest_buffer) {
  std::vector<double> buffer(100000, 1);
  world().all_reduce(std::span(buffer), ReduceOp::sum, "largest");
  fake_gpu::inject("");
  for (const std::size_t size : {100000, 10, 100000}) {
    world().all_reduce(std::span(buffer).first(size), ReduceOp::sum, "again");
  }
  EXPECT_EQ(fake_gpu::calls()["cudaMalloc"] + fake_gpu::calls()["cudaHostAlloc"], 0);
  EXPECT_EQ(buffer[0], std::pow(num_ranks(), 4));
  EXPECT_EQ(buffer[99999], std::pow(num_ranks(), 3));
}

TEST(NcclCommunicator, waits_while_nccl_is_in_progress) {
  fake_gpu::set_polls(50);
  const auto ranks = make_nccl();
  std::vector<double> mine = {1.0 + ranks->rank()};
  ranks->all_reduce(std::span(mine), ReduceOp::sum, "sum");
  EXPECT_EQ(mine[0], ranks->size() * (ranks->size() + 1) / 2);
  ranks->finish();
  fake_gpu::set_polls(0);
}

TEST(NcclCommunicator, frees_all_when_it_finishes_and_refuses_to_go_on) {
  const int before = fake_gpu::num_open();
  const auto ranks = make_nccl();
  std::vector<float> buffer(3);
  ranks->all_reduce(std::span(buffer), ReduceOp::sum, "sum");
  EXPECT_GT(fake_gpu::num_open(), before);
  ranks->finish();
  EXPECT_EQ(fake_gpu::num_open(), before);
  ranks->finish();  // once more does nothing
  EXPECT_THROW(ranks->all_reduce(std::span(buffer), ReduceOp::sum, "sum"), CommError);
  EXPECT_THROW(ranks->barrier("after"), CommError);
}

TEST(NcclCommunicator, wants_a_gpu_for_each_rank) {
  const FakeSetting one("KANTOR_FAKE_DEVICES", 1);
  const Refusal refusal = bring_up();
  if (world().size() == 1) {
    EXPECT_EQ(refusal.code, std::nullopt);
  } else {
    expect_refused(refusal, world().rank() == 0, ExitCode::config, "ranks 0 and 1 would share GPU");
  }
  EXPECT_EQ(bring_up({.allow_gpu_sharing = true}).code, std::nullopt);
}

TEST(NcclCommunicator, fails_on_all_ranks_if_one_has_no_gpu) {
  std::optional<FakeSetting> none;
  if (is_last()) none.emplace("KANTOR_FAKE_DEVICES", 0);
  expect_refused(bring_up(), is_last(), ExitCode::config, "finds no usable GPU");
}

TEST(NcclCommunicator, refuses_an_older_nccl_or_cuda) {
  {
    std::optional<FakeSetting> old;
    if (is_last()) old.emplace("KANTOR_FAKE_NCCL_VERSION", 22304);
    expect_refused(bring_up(), is_last(), ExitCode::config, "NCCL 2.23.4 was loaded from");
  }
  const FakeSetting old("KANTOR_FAKE_CUDA_VERSION", 12080);
  expect_refused(bring_up(), world().rank() == 0, ExitCode::config, "CUDA runtime 12080");
}

TEST(NcclCommunicator, refuses_ranks_of_different_versions) {
  std::optional<FakeSetting> newer;
  if (is_last()) newer.emplace("KANTOR_FAKE_NCCL_VERSION", 23003);
  const Refusal refusal = bring_up();
  if (world().size() == 1) {
    EXPECT_EQ(refusal.code, std::nullopt);
  } else {
    expect_refused(refusal, world().rank() == 0, ExitCode::config, "2.30.3");
  }
}

TEST(NcclCommunicator, refuses_bad_options) {
  for (const double timeout_s : {0.0, -1.0, std::numeric_limits<double>::infinity(),
                                 std::numeric_limits<double>::quiet_NaN()}) {
    EXPECT_THROW(make_nccl({.timeout_s = timeout_s}), ConfigError) << timeout_s;
    EXPECT_THROW(make_nccl({.init_timeout_s = timeout_s}), ConfigError) << timeout_s;
  }
}

TEST(SharedGpus, are_told_by_their_uuids) {
  const int num_ranks = world().size();
  for (const int num_gpus : {1, 2, 3, 8}) {
    const FakeSetting devices("KANTOR_FAKE_DEVICES", num_gpus);
    const std::string told = shared_gpus(host());
    if (num_ranks <= num_gpus) {
      EXPECT_EQ(told, "");
    } else {
      EXPECT_THAT(told, HasSubstr(concat("ranks 0 and ", num_gpus, " share the GPU 00000")));
    }
  }
  // Each rank is shown one, another one on each.
  const FakeSetting one("KANTOR_FAKE_DEVICES", 1);
  const FakeSetting own("KANTOR_FAKE_FIRST_DEVICE", world().rank());
  EXPECT_EQ(shared_gpus(host()), "");
}

TEST(SharedGpus, are_none_where_a_rank_has_no_gpu) {
  const FakeSetting none("KANTOR_FAKE_DEVICES", 0);
  EXPECT_EQ(shared_gpus(host()), "");
}

}  // namespace kantor::test
