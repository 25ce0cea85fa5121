#include "runtime/core/thread_pool.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <barrier>
#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

#include "runtime/core/error.hpp"
#include "tests/support/thrown.hpp"

namespace kantor {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;

class ThreadPoolOf : public ::testing::TestWithParam<int> {
 protected:
  ThreadPool pool_{GetParam()};
};
INSTANTIATE_TEST_SUITE_P(Threads, ThreadPoolOf, ::testing::Values(1, 2, 3, 8));

TEST_P(ThreadPoolOf, knows_its_size) { EXPECT_EQ(pool_.num_threads(), GetParam()); }

TEST_P(ThreadPoolOf, calls_each_item_once) {
  for (const std::int64_t num_items : {0, 1, 2, 7, 1000}) {
    std::vector<std::atomic<int>> calls(static_cast<std::size_t>(num_items));
    pool_.for_each(num_items, [&](std::int64_t item) { ++calls[static_cast<std::size_t>(item)]; });
    for (const auto& count : calls) EXPECT_EQ(count.load(), 1);
  }
}

TEST_P(ThreadPoolOf, has_finished_all_work_when_it_returns) {
  // Plain memory, written by the workers and read by the caller: a race if the pool did not order
  // them (the thread sanitizer looks at this test).
  std::vector<int> values(100, 0);
  for (int round = 1; round <= 200; ++round) {
    pool_.for_each(100, [&](std::int64_t item) { values[static_cast<std::size_t>(item)] += 1; });
    ASSERT_THAT(values, Each(round));
  }
}

TEST_P(ThreadPoolOf, rethrows_what_an_item_throws_and_goes_on_working) {
  for (int round = 0; round < 50; ++round) {
    const auto work = [](std::int64_t item) {
      if (item == 3) throw DataError("item three");
    };
    EXPECT_EQ(test::message_of<DataError>([&] { pool_.for_each(10, work); }), "item three");
    std::atomic<int> calls{0};
    pool_.for_each(10, [&](std::int64_t) { ++calls; });
    EXPECT_EQ(calls.load(), 10);
  }
}

TEST_P(ThreadPoolOf, rethrows_one_of_many_exceptions) {
  EXPECT_THROW(pool_.for_each(100, [](std::int64_t) { throw std::runtime_error("each"); }),
               std::runtime_error);
}

TEST_P(ThreadPoolOf, starts_no_item_after_an_exception) {
  // Only items that other threads had already claimed still run.
  std::atomic<std::int64_t> calls{0};
  const auto work = [&](std::int64_t) {
    ++calls;
    throw std::runtime_error("stop");
  };
  EXPECT_THROW(pool_.for_each(1'000'000, work), std::runtime_error);
  EXPECT_LE(calls.load(), GetParam());
}

TEST_P(ThreadPoolOf, refuses_to_be_used_from_inside_its_own_work) {
  for (const std::int64_t num_inner : {0, 1, 5}) {
    const auto nested = [&](std::int64_t) { pool_.for_each(num_inner, [](std::int64_t) {}); };
    EXPECT_THAT(test::message_of<ValueError>([&] { pool_.for_each(4, nested); }),
                HasSubstr("while another one runs"));
  }
  std::atomic<int> calls{0};
  pool_.for_each(4, [&](std::int64_t) { ++calls; });
  EXPECT_EQ(calls.load(), 4);
}

TEST_P(ThreadPoolOf, refuses_a_negative_number_of_items) {
  EXPECT_THROW(pool_.for_each(-1, [](std::int64_t) {}), ValueError);
}

TEST(ThreadPool, refuses_less_than_one_thread) {
  EXPECT_THROW(ThreadPool(0), ValueError);
  EXPECT_THROW(ThreadPool(-2), ValueError);
}

TEST(ThreadPool, works_on_as_many_threads_as_it_has) {
  // Each item waits for all others: ends only if all threads take part at once.
  constexpr int kThreads = 4;
  ThreadPool pool(kThreads);
  for (int round = 0; round < 20; ++round) {
    std::barrier all_here(kThreads);
    std::mutex mutex;
    std::set<std::thread::id> threads;
    pool.for_each(kThreads, [&](std::int64_t) {
      all_here.arrive_and_wait();
      const std::lock_guard lock(mutex);
      threads.insert(std::this_thread::get_id());
    });
    EXPECT_EQ(threads.size(), static_cast<std::size_t>(kThreads));
  }
}

TEST(ThreadPool, runs_on_the_caller_alone_when_it_has_one_thread) {
  ThreadPool pool(1);
  pool.for_each(10, [&, caller = std::this_thread::get_id()](std::int64_t) {
    EXPECT_EQ(std::this_thread::get_id(), caller);
  });
}

TEST(ThreadPool, may_be_handed_from_thread_to_thread) {
  ThreadPool pool(3);
  std::atomic<int> calls{0};
  for (int i = 0; i < 20; ++i) {
    std::thread([&] { pool.for_each(10, [&](std::int64_t) { ++calls; }); }).join();
  }
  EXPECT_EQ(calls.load(), 200);
}

TEST(ThreadPool, refuses_a_second_user_at_the_same_time) {
  ThreadPool pool(2);
  std::atomic<int> refused{0};
  pool.for_each(1, [&](std::int64_t) {
    std::thread([&] {
      try {
        pool.for_each(1, [](std::int64_t) {});
      } catch (const ValueError&) {
        ++refused;
      }
    }).join();
  });
  EXPECT_EQ(refused.load(), 1);
}

TEST(ThreadPool, ends_at_once_when_it_was_never_used) {
  for (int i = 0; i < 100; ++i) ThreadPool pool(4);
}

}  // namespace
}  // namespace kantor
