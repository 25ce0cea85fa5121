// Page-locked buffers for what goes to the GPU, on the look-alike.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <vector>

#include "distributed/nccl/staging.hpp"
#include "runtime/core/error.hpp"
#include "tests/distributed/device_buffer.hpp"
#include "tests/distributed/nccl_world.hpp"
#include "tests/support/thrown.hpp"
#include "tests/support/world.hpp"

namespace kantor::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr std::size_t kSize = 1000;
constexpr std::size_t kBytes = kSize * sizeof(double);

/// A staging, and a stream on which verbs may hold its copies up.
struct Batches {
  explicit Batches(double timeout_s = 30)
      : ranks(make_nccl({.timeout_s = timeout_s, .stream = [this] { return stream; }})),
        staging(make_page_locked_staging(kBytes)) {
    fake_gpu::inject("");
  }
  void hold_up() const { ranks->all_reduce(verb.span(), ReduceOp::sum, "verb"); }
  void fill(double value) const {
    std::fill_n(static_cast<double*>(staging->buffer()), kSize, value);
  }
  void send(const DeviceBuffer<double>& to) const {
    staging->send(to.span().data(), kBytes, stream);
  }
  /// Until the stream is idle.
  void drain() const {
    ranks->synchronize();
    while (fake_gpu::num_waiting(stream) > 0) static_cast<void>(staging->is_free());
  }

  void* stream = fake_gpu::make_stream();
  std::unique_ptr<Communicator> ranks;
  std::unique_ptr<Staging> staging;
  DeviceBuffer<double> verb{{1}};
};

std::vector<double> constants(double value) { return std::vector<double>(kSize, value); }

}  // namespace

TEST(Staging, buffers_take_turns_and_are_free_once_copied) {
  fake_gpu::set_delay(100);
  const Batches batches;
  const DeviceBuffer<double> first(constants(0)), second(constants(0)), third(constants(0));
  batches.hold_up();
  EXPECT_TRUE(batches.staging->is_free());
  batches.fill(1);
  batches.send(first);
  EXPECT_TRUE(batches.staging->is_free()) << "the other buffer";
  batches.fill(2);
  batches.send(second);
  EXPECT_FALSE(batches.staging->is_free()) << "the first copy is behind the verb";
  EXPECT_EQ(first.values(), constants(0)) << "the copy was waited for";
  while (!batches.staging->is_free()) {
  }
  batches.fill(3);
  batches.send(third);
  batches.drain();
  EXPECT_EQ(first.values(), constants(1));
  EXPECT_EQ(second.values(), constants(2));
  EXPECT_EQ(third.values(), constants(3));
  fake_gpu::set_delay(0);
}

TEST(Staging, takes_nothing_new_once_it_is_made) {
  const Batches batches;
  const DeviceBuffer<double> device(constants(0));
  for (int step = 0; step < 10; ++step) {
    while (!batches.staging->is_free()) {
    }
    batches.fill(step);
    batches.send(device);
  }
  batches.drain();
  EXPECT_EQ(device.values(), constants(9));
  auto calls = fake_gpu::calls();
  EXPECT_EQ(calls["cudaMemcpyAsync"], 10);
  for (const char* function : {"cudaMalloc", "cudaHostAlloc", "cudaEventCreateWithFlags",
                               "cudaStreamSynchronize", "cudaEventSynchronize"}) {
    EXPECT_EQ(calls[function], 0) << function;
  }
}

TEST(Staging, waits_for_no_verb_behind_its_copy) {
  auto& batches = *new Batches(0.5);  // its last verb stays on the stream
  const auto& device = *new DeviceBuffer<double>(constants(0));
  fake_gpu::inject("ncclAllReduce:2:pending");
  fake_gpu::set_delay(100);
  batches.hold_up();
  batches.send(device);
  batches.send(device);
  batches.hold_up();
  const auto is_free = [&] { return batches.staging->is_free(); };
  EXPECT_FALSE(is_free());
  batches.ranks->synchronize_until(is_free);
  EXPECT_TRUE(is_free());
  fake_gpu::set_delay(0);
  EXPECT_THROW(batches.ranks->synchronize(), CommError);
  host().barrier("all have given up");
}

TEST(Staging, wait_behind_a_verb_that_never_ends_names_it) {
  auto& batches = *new Batches(0.5);
  const auto& device = *new DeviceBuffer<double>(constants(0));
  fake_gpu::inject("ncclAllReduce:1:pending");
  batches.ranks->at_step(3);
  batches.hold_up();
  batches.send(device);
  batches.send(device);
  const std::string message = message_of<CommError>(
      [&] { batches.ranks->synchronize_until([&] { return batches.staging->is_free(); }); });
  EXPECT_THAT(message, AllOf(HasSubstr("all_reduce #1 (verb, 8 B) at step 3"),
                             HasSubstr("not finished after 0.5 s")));
  host().barrier("all have given up");
}

TEST(Staging, says_what_cuda_refuses) {
  for (const char* what : {"2", "nothing"}) {
    for (const char* function : {"cudaHostAlloc", "cudaEventCreateWithFlags"}) {
      for (const int number : {1, 2}) {
        fake_gpu::inject(concat(function, ":", number, ":", what));
        EXPECT_THAT(
            message_of<ConfigError>([] { make_page_locked_staging(kBytes); }),
            AllOf(HasSubstr("page-locked memory for a batch of 8000 bytes"), HasSubstr(function)));
      }
    }
  }
  for (const char* fault : {"cudaMemcpyAsync:1:1", "cudaEventRecord:1:1", "cudaEventQuery:1:1"}) {
    const Batches batches;
    const DeviceBuffer<double> device(constants(0));
    fake_gpu::inject(fault);
    EXPECT_THAT(message_of<CommError>([&] {
                  batches.send(device);
                  static_cast<void>(batches.staging->is_free());
                }),
                HasSubstr("copying a batch to the GPU: cuda"));
    fake_gpu::inject("");
    batches.drain();
  }
  const Batches batches;
  EXPECT_THROW(batches.staging->send(nullptr, kBytes + 1, nullptr), Error);
}

TEST(Staging, frees_all_on_the_good_path_and_calls_nothing_on_the_other) {
  const int before = fake_gpu::num_open();
  make_page_locked_staging(kBytes);
  EXPECT_EQ(fake_gpu::num_open(), before);
  try {
    const auto staging = make_page_locked_staging(kBytes);
    fake_gpu::inject("");
    throw CommError("injected");
  } catch (const CommError&) {
  }
  EXPECT_EQ(fake_gpu::calls().size(), 0u) << "a broken GPU was called";
}

TEST(Staging, leaves_no_error_behind_whichever_call_fails) {
  for (const char* function : {"cudaHostAlloc", "cudaEventCreateWithFlags", "cudaEventQuery",
                               "cudaFreeHost", "cudaEventDestroy"}) {
    fake_gpu::inject(std::string(function) + ":1:2");
    try {
      static_cast<void>(make_page_locked_staging(kBytes)->is_free());
    } catch (const Error&) {  // the end of a staging keeps its failure to itself
    }
    EXPECT_TRUE(fake_gpu::has_fired()) << function;
    EXPECT_EQ(fake_gpu::last_error(), 0) << function;
  }
  fake_gpu::inject("");
}

}  // namespace kantor::test
