// Verbs on device memory return once they are on the stream, and are looked at later: on a
// look-alike where they complete late, never, or with an error.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <span>
#include <utility>
#include <vector>

#include "runtime/core/error.hpp"
#include "tests/distributed/contract.hpp"
#include "tests/distributed/device_buffer.hpp"
#include "tests/distributed/nccl_world.hpp"

namespace kantor::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr double kSoon_s = 0.5;  // deadline of what never finishes
constexpr int kMostUnderWay = 64;

std::size_t num_ranks() { return static_cast<std::size_t>(world().size()); }
bool is_last() { return world().rank() == world().size() - 1; }
std::string on_last(const std::string& fault) { return concat(fault, ":", world().size() - 1); }

/// Collectives begin late while it lives.
class Delay {
 public:
  explicit Delay(int polls) { fake_gpu::set_delay(polls); }
  ~Delay() { fake_gpu::set_delay(0); }
  Delay(const Delay&) = delete;
  Delay& operator=(const Delay&) = delete;
};

/// A communicator on a stream of its caller's, and the buffers of a training step. Never freed
/// where a verb was lost: it is still on the stream.
struct Training {
  explicit Training(double timeout_s = 30)
      : ranks(make_nccl({.timeout_s = timeout_s, .stream = [this] { return stream; }})) {
    fake_gpu::inject("");
  }

  void step(std::int64_t number) const {
    ranks->at_step(number);
    ranks->all_gather(constant(f.span()), all_f.span(), "potentials");
    ranks->reduce_scatter(constant(all_f.span()), weights.span(), "column weights");
    ranks->all_reduce(gradients.span(), ReduceOp::sum, "gradients");
  }

  void* stream = fake_gpu::make_stream();
  std::unique_ptr<Communicator> ranks;
  DeviceBuffer<double> f{std::vector<double>(5, world().rank() + 1.0)};
  DeviceBuffer<double> all_f{std::vector<double>(5 * num_ranks())};
  DeviceBuffer<double> weights{std::vector<double>(5)};
  DeviceBuffer<double> gradients{std::vector<double>(7, 1)};
};

/// What a body throws; the communicator is refused for good afterwards, and left behind.
std::string loss_of(Training& training, const std::function<void()>& body) {
  std::string message;
  try {
    body();
    ADD_FAILURE() << "went through";
  } catch (const CommError& error) {
    EXPECT_EQ(error.exit_code(), ExitCode::resume);
    message = error.what();
  }
  fake_gpu::inject("");
  try {
    training.ranks->synchronize();
    ADD_FAILURE() << "went on";
  } catch (const CommError& error) {
    EXPECT_THAT(error.what(), HasSubstr("unusable since"));
  }
  EXPECT_EQ(fake_gpu::calls().size(), 0u) << "a broken GPU was called";
  host().barrier("all have given up");
  return message;
}

}  // namespace

TEST(UnderWay, verbs_return_before_they_are_done_and_keep_their_order) {
  const Delay late(200);
  const double total = 0.5 * world().size() * (world().size() + 1);
  const Training training;
  const std::vector<double> mine(3, world().rank() + 1.0);
  DeviceBuffer<double> sum(mine), copy(mine), all(std::vector<double>(3 * num_ranks())),
      slice(mine);
  training.ranks->broadcast(copy.span(), world().size() - 1, "copy");
  training.ranks->all_reduce(copy.span(), ReduceOp::sum, "sum of copies");
  training.ranks->all_reduce(sum.span(), ReduceOp::sum, "sum");
  training.ranks->all_gather(constant(sum.span()), all.span(), "all");
  training.ranks->reduce_scatter(constant(all.span()), slice.span(), "slice");
  EXPECT_EQ(fake_gpu::num_waiting(training.stream), 2 * 5) << "a verb was waited for";
  EXPECT_EQ(copy.values(), mine);
  training.ranks->synchronize();
  EXPECT_EQ(fake_gpu::num_waiting(training.stream), 0);
  const double ranks = world().size();
  EXPECT_EQ(copy.values(), std::vector<double>(3, ranks * ranks));  // the other order: total
  EXPECT_EQ(slice.values(), std::vector<double>(3, ranks * total));
}

TEST(UnderWay, host_looks_only_when_asked) {
  constexpr int kSteps = 24;
  constexpr int kLookEvery = 8;
  const Delay late(20);
  const Training training;
  int queries_in_looks = 0;
  for (int step = 1; step <= kSteps; ++step) {
    training.step(step);
    if (step % kLookEvery != 0) continue;
    EXPECT_EQ(fake_gpu::calls()["cudaEventQuery"], queries_in_looks) << "a look in step " << step;
    training.ranks->synchronize();
    EXPECT_GE(fake_gpu::calls()["cudaEventQuery"], queries_in_looks + 3 * kLookEvery);
    queries_in_looks = fake_gpu::calls()["cudaEventQuery"];
  }
  auto calls = fake_gpu::calls();
  for (const char* function :
       {"cudaStreamSynchronize", "cudaEventSynchronize", "cudaDeviceSynchronize", "cudaMalloc",
        "cudaHostAlloc", "cudaEventCreateWithFlags", "cudaMemcpyAsync"}) {
    EXPECT_EQ(calls[function], 0) << function;
  }
  EXPECT_EQ(calls["cudaEventRecord"], 3 * kSteps);
  EXPECT_EQ(training.gradients.values(), std::vector<double>(7, std::pow(world().size(), kSteps)));
}

TEST(UnderWay, calls_that_wait_look_first) {
  const Delay late(20);
  const Training training;
  std::vector<double> in_host_memory(2, 1);
  const DeviceBuffer<double> reals(in_host_memory);
  for (const auto& look : std::vector<std::function<void()>>{
           [&] { training.ranks->barrier("barrier"); }, [&] { training.ranks->agree(1, "agree"); },
           [&] { training.ranks->all_reduce(std::span(in_host_memory), ReduceOp::sum, "host"); },
           [&] { training.ranks->all_reduce(reals.span(), ReduceOp::max, "largest"); },
           [&] { training.ranks->finish(); }}) {
    training.step(1);
    EXPECT_GT(fake_gpu::num_waiting(training.stream), 0);
    look();
    EXPECT_EQ(fake_gpu::num_waiting(training.stream), 0);
  }
}

TEST(UnderWay, number_of_verbs_is_bounded) {
  const Delay late(100);
  const Training training;
  const DeviceBuffer<std::int64_t> largest({std::int64_t{world().rank()}});
  for (int verb = 1; verb <= 3 * kMostUnderWay; ++verb) {
    training.ranks->all_reduce(largest.span(), ReduceOp::max, "largest");
    EXPECT_LE(fake_gpu::num_waiting(training.stream), 2 * kMostUnderWay);
    if (verb > kMostUnderWay) continue;
    EXPECT_EQ(fake_gpu::calls()["cudaEventQuery"], 0) << "a wait at verb " << verb;
  }
  EXPECT_GE(fake_gpu::calls()["cudaEventQuery"], 2 * kMostUnderWay);
  EXPECT_EQ(fake_gpu::calls()["cudaEventCreateWithFlags"], 0);
  training.ranks->synchronize();
  EXPECT_EQ(largest.values(), std::vector<std::int64_t>{world().size() - 1});
}

TEST(UnderWay, verb_that_never_ends_is_named_by_the_next_look) {
  std::vector<double> in_host_memory(2, 1);
  const std::vector<std::pair<const char*, std::function<void(Training&)>>> looks = {
      {"synchronize", [](Training& training) { training.ranks->synchronize(); }},
      {"barrier", [](Training& training) { training.ranks->barrier("barrier"); }},
      {"agree", [](Training& training) { training.ranks->agree(1, "agree"); }},
      {"host",
       [&](Training& training) {
         training.ranks->all_reduce(std::span(in_host_memory), ReduceOp::sum, "host");
       }},
      {"finish", [](Training& training) { training.ranks->finish(); }},
      {"too many", [](Training& training) {
         for (int step = 9; step < 9 + kMostUnderWay; ++step) training.step(step);
       }}};
  for (const auto& [name, look] : looks) {
    auto& training = *new Training(kSoon_s);
    fake_gpu::inject(on_last("ncclReduceScatter:2:pending"));
    training.step(7);
    training.step(8);
    const std::string message = loss_of(training, [&] { look(training); });
    EXPECT_THAT(message, AllOf(HasSubstr("reduce_scatter #5 (column weights, "),
                               HasSubstr(concat("at step 8 on GPU ", world().rank(),
                                                " not finished after ", kSoon_s, " s"))))
        << name;
  }
}

TEST(UnderWay, a_verb_has_the_deadline_it_was_called_with) {
  auto& training = *new Training(kSoon_s);
  fake_gpu::inject(on_last("ncclAllGather:1:pending"));
  training.ranks->take_deadline(0.8);
  training.ranks->all_gather(constant(training.f.span()), training.all_f.span(), "potentials");
  training.ranks->take_deadline(0);
  training.ranks->all_reduce(training.gradients.span(), ReduceOp::sum, "gradients");
  EXPECT_THAT(loss_of(training, [&] { training.ranks->synchronize(); }),
              AllOf(HasSubstr("all_gather #1"), HasSubstr("not finished after 0.8 s")));
}

TEST(UnderWay, a_look_ends_once_the_caller_has_enough) {
  auto& training = *new Training(kSoon_s);
  fake_gpu::inject("ncclAllGather:1:pending");
  training.step(1);
  int num_asked = 0;
  training.ranks->synchronize_until([&] { return ++num_asked > 5; });
  EXPECT_EQ(num_asked, 7) << "of these the last one ends the look";
  EXPECT_THAT(loss_of(training, [&] { training.ranks->synchronize(); }),
              HasSubstr("all_gather #1"));
}

TEST(UnderWay, rank_that_has_not_come_is_named) {
  auto& training = *new Training(kSoon_s);
  training.step(1);
  training.ranks->synchronize();
  if (is_last()) {
    host().barrier("all have given up");
    return;
  }
  training.step(2);
  const int last = world().size() - 1;
  EXPECT_THAT(loss_of(training, [&] { training.ranks->synchronize(); }),
              AllOf(HasSubstr("all_gather #4 (potentials, 40 B) at step 2"),
                    HasSubstr(concat("rank ", last, " last seen at #3"))));
}

TEST(UnderWay, error_is_that_of_the_oldest_verb_under_way) {
  for (const bool is_in_look : {true, false}) {
    auto& training = *new Training(kSoon_s);
    training.step(1);
    training.ranks->synchronize();
    const std::string message = loss_of(training, [&] {
      training.ranks->at_step(2);
      training.ranks->all_gather(constant(training.f.span()), training.all_f.span(), "potentials");
      training.ranks->synchronize();
      // NCCL is asked once for each verb; then by the look, or it says so with the second verb.
      fake_gpu::inject(
          on_last("ncclReduceScatter:1:pending") + ";" +
          on_last(is_in_look ? "ncclCommGetAsyncError:5:async=6" : "ncclAllReduce:1:async=6"));
      training.ranks->reduce_scatter(constant(training.all_f.span()), training.weights.span(),
                                     "column weights");
      training.ranks->all_reduce(training.gradients.span(), ReduceOp::sum, "gradients");
      EXPECT_TRUE(is_in_look || !is_last()) << "NCCL was not asked";
      training.ranks->synchronize();
    });
    EXPECT_THAT(message, HasSubstr("reduce_scatter #5 (column weights, "));
    EXPECT_THAT(message, HasSubstr("at step 2"));
    EXPECT_THAT(message, HasSubstr(is_last() ? "NCCL error 6" : "not finished after"));
  }
}

TEST(UnderWay, error_after_the_last_verb_is_no_success) {
  auto& training = *new Training(kSoon_s);
  training.step(1);
  training.ranks->synchronize();
  fake_gpu::inject("ncclCommGetAsyncError:2:async=6");
  const std::string message = loss_of(training, [&] {
    training.ranks->all_reduce(training.gradients.span(), ReduceOp::sum, "gradients");
    training.ranks->synchronize();
  });
  EXPECT_THAT(message, AllOf(HasSubstr("all_reduce #4 (gradients"), HasSubstr("NCCL error 6")));
}

}  // namespace kantor::test
