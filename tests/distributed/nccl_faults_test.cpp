// Failures of CUDA and NCCL, injected into the look-alike: every return code at every call, errors
// that come later, calls that never finish. Whatever fails, no rank goes on with a wrong number.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <span>
#include <vector>

#include "runtime/core/error.hpp"
#include "tests/distributed/contract.hpp"
#include "tests/distributed/device_buffer.hpp"
#include "tests/distributed/nccl_world.hpp"
#include "tests/support/fake_gpu/fake_gpu.hpp"

namespace kantor::test {
namespace {

using testing::AllOf;
using testing::AnyOf;
using testing::HasSubstr;

constexpr double kSoon_s = 0.5;  // deadline of what never finishes

bool is_last() { return world().rank() == world().size() - 1; }
std::string on_last(const std::string& fault) { return concat(fault, ":", world().size() - 1); }

/// One life of a communicator, and what became of it on this rank.
struct Outcome {
  std::string error;  ///< "" if all went well
  ExitCode code = ExitCode::done;
  bool is_wrong = false;
};

/// Not freed after a failure: what is still on the stream would find it gone.
void call_verbs_on_device(Communicator& ranks, Outcome& outcome) {
  const auto size = static_cast<std::size_t>(ranks.size());
  const double total = 0.5 * ranks.size() * (ranks.size() + 1);
  auto* part = new DeviceBuffer<double>(std::vector<double>(3, ranks.rank() + 1.0));
  auto* all = new DeviceBuffer<double>(std::vector<double>(3 * size));
  ranks.all_reduce(part->span(), ReduceOp::sum, "device sums");
  ranks.all_gather(constant(part->span()), all->span(), "device parts");
  ranks.reduce_scatter(constant(all->span()), part->span(), "device slices");
  ranks.broadcast(part->span(), ranks.size() - 1, "device copies");
  ranks.synchronize();
  outcome.is_wrong |= part->values() != std::vector<double>(3, total * ranks.size());
  delete part;
  delete all;
}

void call_verbs(Communicator& ranks, Outcome& outcome) {
  const auto size = static_cast<std::size_t>(ranks.size());
  const double total = 0.5 * ranks.size() * (ranks.size() + 1);
  const auto expect = [&](const std::vector<double>& found, double expected) {
    outcome.is_wrong |= found != std::vector<double>(found.size(), expected);
  };
  std::vector<double> part(3, ranks.rank() + 1.0), all(3 * size);
  ranks.all_reduce(std::span(part), ReduceOp::sum, "sums");
  expect(part, total);
  ranks.all_gather(std::span<const double>(part), std::span(all), "parts");
  expect(all, total);
  ranks.reduce_scatter(std::span<const double>(all), std::span(part), "slices");
  expect(part, total * ranks.size());
  part.assign(20000, ranks.rank());  // more than the scratch holds so far
  ranks.broadcast(std::span(part), ranks.size() - 1, "copies");
  expect(part, ranks.size() - 1);
  part.assign(1, ranks.rank());
  ranks.all_reduce(std::span(part), ReduceOp::max, "largest");
  expect(part, ranks.size() - 1);
  call_verbs_on_device(ranks, outcome);
}

/// Collective over host(), whatever happens: the bring-up and the end are agreed on, and the end is
/// left out if a rank has failed before.
Outcome live(const std::string& faults, double timeout_s = kSoon_s) {
  Outcome outcome;
  std::unique_ptr<Communicator> ranks;
  const auto attempt = [&](const std::function<void()>& part) {
    try {
      part();
    } catch (const Error& error) {
      outcome.error = error.what();
      outcome.code = error.exit_code();
    }
  };
  fake_gpu::inject(faults);
  attempt([&] { ranks = make_nccl({.timeout_s = timeout_s, .init_timeout_s = timeout_s}); });
  if (ranks) attempt([&] { call_verbs(*ranks, outcome); });
  if (host().agree(outcome.error.empty() ? 0 : 1, "failed so far") == 0) {
    attempt([&] { ranks->finish(); });
  } else if (ranks && outcome.error.empty()) {
    static_cast<void>(ranks.release());  // its end would wait for the others
  }
  return outcome;
}

/// Names of functions and how often a whole life calls each.
std::map<std::string, int> calls_of_a_life() {
  const Outcome outcome = live("", 20);
  EXPECT_EQ(outcome.error, "");
  EXPECT_FALSE(outcome.is_wrong);
  auto calls = fake_gpu::calls();
  calls.try_emplace("ncclGetUniqueId", 0);  // of rank 0 alone, but all ranks try the same faults
  return calls;
}

/// Polling repeats the same two calls for as long as it takes, events are made and freed by the
/// dozen; their first ones stand for all.
int num_tried(const std::string& function, int num_calls) {
  const bool repeats = function == "cudaEventQuery" || function == "ncclCommGetAsyncError" ||
                       function == "cudaEventCreateWithFlags" || function == "cudaEventDestroy";
  const int all = static_cast<int>(host().agree(num_calls, function));
  return repeats ? std::min(all, 12) : all;
}

}  // namespace

TEST(NcclFaults, end_in_an_error_whichever_call_fails) {
  const auto calls = calls_of_a_life();
  EXPECT_GE(calls.size(), 25u);
  int num_fired = 0;
  for (const auto& [function, num_calls] : calls) {
    const int last_number = num_tried(function, num_calls);
    for (int number = 1; number <= last_number; ++number) {
      const std::string fault = concat(function, ":", number, ":", 2);
      const Outcome outcome = live(fault);
      EXPECT_FALSE(outcome.is_wrong) << fault;
      EXPECT_EQ(fake_gpu::last_error(), 0) << fault << " is left for LibTorch to trip over";
      if (!fake_gpu::has_fired()) continue;
      ++num_fired;
      EXPECT_NE(outcome.error, "") << fault << " went unseen";
      EXPECT_TRUE(outcome.code == ExitCode::config || outcome.code == ExitCode::resume) << fault;
    }
  }
  EXPECT_GE(num_fired, 50);
}

TEST(NcclFaults, of_one_rank_lead_no_other_to_a_wrong_number) {
  const auto calls = calls_of_a_life();
  for (const std::string function :
       {"cudaStreamCreateWithPriority", "cudaMalloc", "cudaMemcpyAsync", "cudaEventRecord",
        "ncclCommInitRankConfig", "ncclCommCount", "ncclCommFinalize", "ncclCommDestroy"}) {
    const int last_number =
        static_cast<int>(host().agree(calls.contains(function) ? calls.at(function) : 0, "calls"));
    ASSERT_GT(last_number, 0) << function;
    for (const int number : {1, last_number}) {
      const std::string fault = on_last(concat(function, ":", number, ":", 1));
      const Outcome outcome = live(fault);
      EXPECT_FALSE(outcome.is_wrong) << fault;
      if (is_last()) {  // which aborts all; the others may be through with their last call
        EXPECT_THAT(outcome.error, HasSubstr(function)) << fault;
      }
    }
  }
}

TEST(NcclFaults, success_that_does_nothing_is_no_success) {
  // The trap this is about: an initialisation that fails unseen, then sums that do nothing, exit 0.
  for (const std::string call :
       {"ncclGetVersion:1", "ncclGetUniqueId:1", "ncclCommInitRankConfig:1", "ncclCommCount:1",
        "ncclCommUserRank:1", "ncclAllReduce:1", "ncclCommGetAsyncError:1",
        "cudaRuntimeGetVersion:1", "cudaGetDeviceCount:1", "cudaGetDevice:1",
        "cudaGetDeviceProperties:1", "cudaStreamCreateWithPriority:1", "cudaEventCreateWithFlags:1",
        "cudaMalloc:1", "cudaHostAlloc:1"}) {
    const Outcome outcome = live(call + ":nothing");
    EXPECT_NE(outcome.error, "") << call;
    EXPECT_FALSE(outcome.is_wrong) << call;
  }
}

TEST(NcclFaults, a_state_that_was_not_given_is_no_success) {
  const Outcome outcome = live("ncclCommGetAsyncError:1:nothing");
  if (world().rank() == 0) {
    EXPECT_THAT(outcome.error, HasSubstr("bringing NCCL up: NCCL: look-alike NCCL error 3"));
  }
  EXPECT_EQ(outcome.code, ExitCode::resume);
}

TEST(NcclFaults, an_error_that_comes_later_names_the_operation) {
  const Outcome outcome = live(on_last("collective:3:async=6"));  // warm-up, sums, parts
  EXPECT_EQ(outcome.code, ExitCode::resume);
  EXPECT_FALSE(outcome.is_wrong);
  if (is_last()) {
    EXPECT_THAT(outcome.error,
                AllOf(HasSubstr("all_gather #2 (parts, 24 B)"), HasSubstr("NCCL error 6")));
  } else {
    EXPECT_THAT(outcome.error, HasSubstr("not finished after"));
  }
}

TEST(NcclFaults, what_never_finishes_ends_at_the_deadline) {
  const std::string late = concat("not finished after ", kSoon_s, " s");
  for (const auto& [call, place] : std::vector<std::pair<std::string, std::string>>{
           {"ncclCommInitRankConfig:1:pending", "bringing NCCL up"},
           {"collective:1:pending", "the first all-reduce over NCCL"},
           {"collective:2:pending", "all_reduce #1 (sums, 24 B)"},
           {"ncclReduceScatter:1:pending", "reduce_scatter #3 (slices, "},
           {"ncclCommFinalize:1:pending", "closing NCCL"}}) {
    const Outcome outcome = live(on_last(call));
    EXPECT_EQ(outcome.code, ExitCode::resume) << call;
    EXPECT_THAT(outcome.error,
                AnyOf(AllOf(HasSubstr(place), HasSubstr(late)), HasSubstr("another rank failed")))
        << call;
    if (world().rank() == 0) {  // waits in vain too, and has the word
      EXPECT_THAT(outcome.error, HasSubstr(place)) << call;
    }
  }
}

TEST(NcclFaults, name_the_rank_that_has_not_come) {
  fake_gpu::inject("");
  auto ranks = make_nccl({.timeout_s = kSoon_s});
  ranks->barrier("together");
  ranks->take_deadline(0.8);  // longer than the deadline: it counts
  ranks->at_step(139);
  std::vector<double> loss(1);
  std::string message;
  if (!is_last()) {
    try {
      ranks->all_reduce(std::span(loss), ReduceOp::sum, "loss");
    } catch (const CommError& error) {
      message = error.what();
    }
    const int last = world().size() - 1;
    EXPECT_EQ(message,
              concat("all_reduce #2 (loss, 8 B) at step 139 on GPU ", world().rank(),
                     " not finished after 0.8 s; rank ", last, " last seen at #1. See rank ", last,
                     "'s log; raise run.timeout_s if steps are slow"));
  }
  host().barrier("the others have given up");
  if (is_last()) static_cast<void>(ranks.release());  // its end would wait for the others
}

TEST(NcclFaults, after_one_all_further_calls_are_refused) {
  fake_gpu::inject("collective:2:5");  // the first is the warm-up
  const auto ranks = make_nccl();
  std::vector<double> buffer(1);
  EXPECT_THROW(ranks->all_reduce(std::span(buffer), ReduceOp::sum, "loss"), CommError);
  fake_gpu::inject("");
  for (int again = 0; again < 2; ++again) {
    try {
      ranks->barrier("next");
      ADD_FAILURE() << "went through";
    } catch (const CommError& error) {
      EXPECT_THAT(error.what(), HasSubstr("unusable since all_reduce #1 failed"));
    }
  }
  EXPECT_THROW(ranks->finish(), CommError);
  EXPECT_EQ(fake_gpu::calls().size(), 0u) << "a broken GPU was called";
}

}  // namespace kantor::test
