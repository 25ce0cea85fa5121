#pragma once

#include <sched.h>

#include <algorithm>
#include <chrono>
#include <thread>

namespace kantor {

/// A wait first spins this often, for peers that are a few microseconds away.
inline constexpr int kNumSpins = 100;

/// Between two polls after that: yields, because ranks may share cores; a long wait sleeps for
/// about 1% of the time waited so far.
inline void pause_between_polls(double waited_s) {
  constexpr double kSleepAfter_s = 0.01;
  constexpr double kLongestSleep_s = 2e-4;
  if (waited_s < kSleepAfter_s) {
    sched_yield();
  } else {
    std::this_thread::sleep_for(
        std::chrono::duration<double>(std::min(kLongestSleep_s, 0.01 * waited_s)));
  }
}

}  // namespace kantor
