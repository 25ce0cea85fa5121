#pragma once

#include <algorithm>

namespace kantor {

/// The time that a polling wait has lasted, for its deadline. A gap of more than a second between
/// two polls means that this process was stopped (Ctrl-Z, a debugger, a frozen container), and its
/// peers with it as a rule: such a gap counts as one second, so that a job survives it.
class WaitClock {
 public:
  explicit WaitClock(double now_s) : last_poll_s_(now_s) {}

  /// Called at every poll. [s]
  double waited_s(double now_s) {
    waited_s_ += std::min(now_s - last_poll_s_, kLongestGap_s);
    last_poll_s_ = now_s;
    return waited_s_;
  }

 private:
  static constexpr double kLongestGap_s = 1;
  double last_poll_s_;
  double waited_s_ = 0;
};

}  // namespace kantor
