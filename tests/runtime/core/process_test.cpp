#include "runtime/core/process.hpp"

#include <gtest/gtest.h>
#include <sched.h>

#include <thread>
#include <vector>

namespace kantor {
namespace {

constexpr std::int64_t kBlock_bytes = 64 << 20;

TEST(ResidentBytes, grows_by_memory_that_is_touched) {
  const std::int64_t before = resident_bytes();
  EXPECT_GT(before, 0);
  const std::vector<char> block(kBlock_bytes, 1);
  // Other pages of the process may leave meanwhile; half the block is beyond doubt.
  EXPECT_GT(resident_bytes(), before + kBlock_bytes / 2);
  EXPECT_EQ(block.back(), 1);
}

TEST(PeakResidentBytes, stays_after_the_memory_is_gone) {
  {
    const std::vector<char> block(2 * kBlock_bytes, 1);
    EXPECT_GE(peak_resident_bytes(), 2 * kBlock_bytes);
    EXPECT_EQ(block.back(), 1);
  }
  EXPECT_GE(peak_resident_bytes(), 2 * kBlock_bytes);
}

TEST(AvailableMemoryBytes, is_a_plausible_size) {
  EXPECT_GT(available_memory_bytes(), std::int64_t{1} << 20);
  EXPECT_LT(available_memory_bytes(), std::int64_t{1} << 50);
}

TEST(NumAvailableCores, follows_the_affinity_mask) {
  // In a thread of its own: the mask belongs to the thread that asks.
  std::thread([] {
    cpu_set_t allowed;
    ASSERT_EQ(sched_getaffinity(0, sizeof(allowed), &allowed), 0);
    EXPECT_EQ(num_available_cores(), CPU_COUNT(&allowed));
    int first = 0;
    while (!CPU_ISSET(first, &allowed)) ++first;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(first, &one);
    ASSERT_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
    EXPECT_EQ(num_available_cores(), 1);
  }).join();
}

TEST(HostName, is_not_empty) { EXPECT_FALSE(host_name().empty()); }

TEST(MonotonicSeconds, never_goes_back) {
  double last = monotonic_seconds();
  for (int i = 0; i < 1000; ++i) {
    const double now = monotonic_seconds();
    ASSERT_GE(now, last);
    last = now;
  }
}

}  // namespace
}  // namespace kantor
