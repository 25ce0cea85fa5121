// The thread back end alone: order of sums, deadlines, ranks that differ or leave.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <limits>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "runtime/core/error.hpp"
#include "runtime/core/process.hpp"
#include "tests/distributed/contract.hpp"

namespace {

thread_local std::int64_t num_allocations = 0;

}  // namespace

// The whole program allocates through these, so that a test can count. GCC takes the malloc below
// for a mismatch once it has inlined one of a pair.
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"
void* operator new(std::size_t bytes) {
  ++num_allocations;
  void* memory = std::malloc(bytes == 0 ? 1 : bytes);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace kantor::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

constexpr double kLong_s = 1e6;  // a test that waits for this deadline never ends

class ThreadRanks : public OnAllRanks {};

bool is_last() { return world().rank() == world().size() - 1; }
std::size_t num_ranks() { return static_cast<std::size_t>(world().size()); }

/// What the CommError of `call` says; "" and a failure if there is none.
std::string failure_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const CommError& error) {
    return error.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return "";
}

struct Buffers {
  std::vector<double> buffer, all, part;  // [n], [P n], [n]
  explicit Buffers(std::size_t n) : buffer(n, 1), all(n * num_ranks(), 1), part(n, 1) {}
};

struct NamedCall {
  std::string verb;
  std::function<void(Communicator&, Buffers&)> enter;
};

std::vector<NamedCall> all_calls() {
  return {
      {"all_reduce",
       [](Communicator& ranks, Buffers& data) {
         ranks.all_reduce(std::span(data.buffer), ReduceOp::sum, "x");
       }},
      {"all_gather",
       [](Communicator& ranks, Buffers& data) {
         ranks.all_gather(std::span<const double>(data.buffer), std::span(data.all), "x");
       }},
      {"reduce_scatter",
       [](Communicator& ranks, Buffers& data) {
         ranks.reduce_scatter(std::span<const double>(data.all), std::span(data.part), "x");
       }},
      {"broadcast",
       [](Communicator& ranks, Buffers& data) { ranks.broadcast(std::span(data.buffer), 0, "x"); }},
      {"barrier", [](Communicator& ranks, Buffers&) { ranks.barrier("x"); }},
      {"agree", [](Communicator& ranks, Buffers&) { ranks.agree(1, "x"); }},
  };
}

/// Sums in rank order, as one thread takes them.
template <class T>
std::vector<T> sums_in_order(std::size_t size) {
  auto sums = values<T>(0, size);
  for (int rank = 1; rank < world().size(); ++rank) {
    for (std::size_t i = 0; i < size; ++i) sums[i] += value<T>(rank, i);
  }
  return sums;
}

}  // namespace

TEST_F(ThreadRanks, are_threads) {
  EXPECT_EQ(world().backend_name(), "thread");
  EXPECT_EQ(world().local_rank(), world().rank());
  EXPECT_EQ(world().local_size(), world().size());
}

TEST_F(ThreadRanks, sum_in_rank_order_to_the_bit) {
  // Around the edges of slices (cache lines) and blocks (1024 elements).
  for (const std::size_t size : {1, 15, 16, 17, 64, 1023, 1024, 1025, 2048, 5000}) {
    auto sums = values<float>(world().rank(), size);
    world().all_reduce(std::span(sums), ReduceOp::sum, "sums");
    EXPECT_TRUE(same_bits<float>(sums, sums_in_order<float>(size))) << size;

    const auto all = values<float>(world().rank(), size * num_ranks());
    std::vector<float> part(size);
    world().reduce_scatter(std::span<const float>(all), std::span(part), "slices");
    const auto expected = sums_in_order<float>(size * num_ranks());
    const std::span<const float> mine(
        expected.data() + size * static_cast<std::size_t>(world().rank()), size);
    EXPECT_TRUE(same_bits<float>(part, mine)) << size;
  }
}

TEST_F(ThreadRanks, allocate_nothing_in_a_call) {
  Buffers data(5000);
  const auto calls = all_calls();
  for (int round = 0; round < 3; ++round) {
    const std::int64_t before = num_allocations;
    for (const NamedCall& call : calls) call.enter(world(), data);
    EXPECT_EQ(num_allocations, before) << round;
  }
}

TEST_F(ThreadRanks, name_all_ranks_that_are_late_when_the_deadline_passes) {
  for (const NamedCall& call : all_calls()) {
    const auto hasty = make_world({.timeout_s = 0.05});
    hasty->at_step(139);
    Buffers data(1000);
    if (world().rank() == 0 && world().size() > 1) {
      std::string late = "rank 1 last seen at #0";
      for (int rank = 2; rank < std::min(world().size(), 5); ++rank) {
        late += concat(", rank ", rank, " last seen at #0");
      }
      if (world().size() > 5) late += concat(", ", world().size() - 5, " more");
      const std::string message = failure_of([&] { call.enter(*hasty, data); });
      EXPECT_THAT(message, StartsWith(concat(call.verb, " #1 (x, ")));
      EXPECT_THAT(message,
                  HasSubstr(concat(") at step 139 not finished after 0.05 s; ", late,
                                   ". See rank 1's log; raise run.timeout_s if steps are slow")));
      EXPECT_THAT(failure_of([&] { hasty->barrier("again"); }),
                  HasSubstr(concat("unusable since ", call.verb, " #1 failed")));
    }
    world().barrier("rank 0 has given up");
    if (world().rank() > 0) {  // too late: told so at once
      EXPECT_THAT(failure_of([&] { call.enter(*hasty, data); }), HasSubstr("not finished after"));
    }
  }
}

TEST_F(ThreadRanks, wait_three_times_as_long_as_they_have_worked_themselves) {
  const auto hasty = make_world({.timeout_s = 0.05});
  hasty->take_deadline(1e6);
  hasty->barrier("start");
  hasty->take_deadline(std::nullopt);
  const double start_s = monotonic_seconds();
  while (monotonic_seconds() < start_s + 0.1) {
  }
  if (world().rank() == 0 && world().size() > 1) {
    const std::string message = failure_of([&] { hasty->barrier("x"); });
    const std::string before = "not finished after ";
    const std::size_t at = message.find(before);
    ASSERT_NE(at, std::string::npos) << message;
    EXPECT_GE(std::stod(message.substr(at + before.size())), 0.3) << message;
  }
  world().barrier("rank 0 has given up");
}

TEST_F(ThreadRanks, give_up_together_and_say_where_the_late_one_was_seen) {
  const auto hasty = make_world({.timeout_s = 2});  // enough for the two calls that go through
  hasty->barrier("x");
  hasty->barrier("x");
  if (!is_last()) {
    EXPECT_THAT(failure_of([&] { hasty->barrier("y"); }),
                AllOf(HasSubstr("barrier #3 (y, 0 B) not finished after 2 s"),
                      HasSubstr("last seen at #2")));
  }
  world().barrier("the others have given up");
}

TEST_F(ThreadRanks, do_not_wait_for_one_that_has_left) {
  for (const NamedCall& call : all_calls()) {
    auto ranks = make_world({.timeout_s = kLong_s});
    ranks->barrier("start");
    Buffers data(1000);
    if (is_last()) {
      ranks.reset();
    } else {
      EXPECT_THAT(
          failure_of([&] { call.enter(*ranks, data); }),
          HasSubstr(concat("cannot finish: rank ", world().size() - 1, " has left after #1")));
    }
  }
}

TEST_F(ThreadRanks, may_leave_as_soon_as_their_last_call_is_through) {
  for (int round = 0; round < 200; ++round) {
    const auto ranks = make_world({.timeout_s = kLong_s});
    std::vector<double> sums(10, 1);
    ranks->all_reduce(std::span(sums), ReduceOp::sum, "last");
    EXPECT_EQ(sums, std::vector<double>(10, world().size()));
  }
}

TEST_F(ThreadRanks, fail_alike_when_they_make_different_calls) {
  const auto calls = all_calls();
  for (std::size_t i = 0; i < calls.size() && num_ranks() > 1; ++i) {
    const auto ranks = make_world({.timeout_s = kLong_s});
    Buffers data(1000);
    const NamedCall& first = calls[i];
    const NamedCall& other = calls[(i + 1) % calls.size()];
    const std::string message =
        failure_of([&] { (is_last() ? other : first).enter(*ranks, data); });
    EXPECT_THAT(message,
                HasSubstr(concat("fails on all ranks: rank 0 calls ", first.verb, " (x)")));
    EXPECT_THAT(message,
                HasSubstr(concat("but rank ", world().size() - 1, " ", other.verb, " (x)")));
    EXPECT_THROW(ranks->barrier("again"), CommError);
  }
}

TEST_F(ThreadRanks, fail_alike_when_arguments_differ) {
  if (num_ranks() == 1) return;  // nobody can differ
  const auto expect_failure = [](const std::string& words, auto&& call) {
    const auto ranks = make_world({.timeout_s = kLong_s});
    EXPECT_THAT(failure_of([&] { call(*ranks); }), HasSubstr(words));
  };
  const std::size_t one_more = is_last() ? 4 : 3;
  std::vector<double> buffer(one_more), all(one_more * num_ranks());
  std::vector<float> floats(6);
  const std::span<double> three(buffer.data(), 3);
  expect_failure("x) of 4 float64, sum", [&](Communicator& ranks) {
    ranks.all_reduce(std::span(buffer), ReduceOp::sum, "x");
  });
  expect_failure("x) of 3 float64, maximum", [&](Communicator& ranks) {
    ranks.all_reduce(three, is_last() ? ReduceOp::max : ReduceOp::sum, "x");
  });
  expect_failure("x) of 6 float32, sum", [&](Communicator& ranks) {  // as many bytes
    if (is_last()) return ranks.all_reduce(std::span(floats), ReduceOp::sum, "x");
    ranks.all_reduce(three, ReduceOp::sum, "x");
  });
  expect_failure("x) of 3 float32, sum", [&](Communicator& ranks) {  // as many elements
    if (is_last()) return ranks.all_reduce(std::span(floats.data(), 3), ReduceOp::sum, "x");
    ranks.all_reduce(three, ReduceOp::sum, "x");
  });
  expect_failure("x) of 3 float64 from rank 1",
                 [&](Communicator& ranks) { ranks.broadcast(three, is_last() ? 1 : 0, "x"); });
  expect_failure("x) of 4 float64", [&](Communicator& ranks) {
    ranks.all_gather(std::span<const double>(buffer), std::span(all), "x");
  });
  expect_failure("x) of 4 float64", [&](Communicator& ranks) {
    ranks.reduce_scatter(std::span<const double>(all), std::span(buffer), "x");
  });
}

TEST_F(ThreadRanks, stay_in_step_over_many_calls) {
  // More ranks than cores at 8; every call moves what the one before has left.
  std::vector<std::int64_t> counters(1, 0);
  for (std::int64_t round = 1; round <= 2000; ++round) {
    counters[0] += world().rank() == round % world().size() ? 1 : 0;
    auto sums = counters;
    world().all_reduce(std::span(sums), ReduceOp::sum, "counters");
    ASSERT_EQ(sums[0], round);
    ASSERT_EQ(world().agree(round * (is_last() ? 1 : 0), "round"), round);
  }
}

TEST(ThreadCommunicator, holds_more_ranks_than_there_are_cores) {
  const int num = 4 * static_cast<int>(std::max(2u, std::thread::hardware_concurrency()));
  const auto ranks = make_thread_communicators({.num_ranks = num, .timeout_s = kLong_s});
  std::vector<std::thread> threads;
  std::vector<double> totals(static_cast<std::size_t>(num));
  for (const auto& rank : ranks) {
    threads.emplace_back([&rank, &totals] {
      std::vector<double> sums(100);
      for (int round = 0; round < 100; ++round) {
        for (double& each : sums) each = rank->rank() + 1;
        rank->all_reduce(std::span(sums), ReduceOp::sum, "ranks");
        totals[static_cast<std::size_t>(rank->rank())] += sums[99];
      }
    });
  }
  for (std::thread& each : threads) each.join();
  EXPECT_EQ(totals, std::vector<double>(totals.size(), 100 * num * (num + 1) / 2));
}

TEST(ThreadCommunicator, refuses_bad_options) {
  EXPECT_THROW(make_thread_communicators({.num_ranks = 0}), ValueError);
  EXPECT_THROW(make_thread_communicators({.num_ranks = -3}), ValueError);
  for (const double timeout_s : {0.0, -1.0, std::numeric_limits<double>::infinity(),
                                 std::numeric_limits<double>::quiet_NaN()}) {
    EXPECT_THROW(make_thread_communicators({.num_ranks = 2, .timeout_s = timeout_s}), ConfigError);
  }
}

TEST(ThreadCommunicatorDeathTest, abort_ends_the_ranks_that_wait) {
  EXPECT_EXIT(
      {
        auto ranks = make_thread_communicators({.num_ranks = 2, .timeout_s = kLong_s});
        std::thread peer([&] { ranks[1]->barrier("that rank 0 never enters"); });
        std::fputs("last words", stderr);
        ranks[0]->abort(75);
      },
      testing::ExitedWithCode(75), "last words");
}

}  // namespace kantor::test
