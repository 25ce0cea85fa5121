#include "distributed/wait_clock.hpp"

#include <gtest/gtest.h>

namespace kantor {

TEST(WaitClock, adds_up_the_time_between_polls) {
  WaitClock clock(100);
  EXPECT_EQ(clock.waited_s(100), 0);
  EXPECT_EQ(clock.waited_s(100.5), 0.5);
  EXPECT_EQ(clock.waited_s(101.5), 1.5);
}

TEST(WaitClock, counts_a_stopped_process_as_one_second) {
  WaitClock clock(100);
  EXPECT_EQ(clock.waited_s(100.25), 0.25);
  EXPECT_EQ(clock.waited_s(3700.25), 1.25);
  EXPECT_EQ(clock.waited_s(3700.5), 1.5);
}

}  // namespace kantor
