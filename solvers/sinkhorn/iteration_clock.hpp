#pragma once

#include <cstdint>

#include "runtime/core/process.hpp"

namespace kantor::sinkhorn {

/// Seconds of an iteration: of what is timed in it, the mean over all but the first.
class IterationClock {
 public:
  template <class Work>
  auto timed(const Work& work) {
    struct Timer {
      double& seconds;
      double start = monotonic_seconds();
      ~Timer() { seconds += monotonic_seconds() - start; }
    } timer{seconds_};
    return work();
  }
  void leave_out(double seconds) { seconds_ -= seconds; }
  /// An iteration has ended. @return the mean so far; of the first alone, its seconds.
  double mean_with_this() {
    mean_ =
        num_timed_ < 2 ? seconds_ : mean_ + (seconds_ - mean_) / static_cast<double>(num_timed_);
    ++num_timed_;
    seconds_ = 0;
    return mean_;
  }

 private:
  double seconds_ = 0;  ///< of this iteration so far
  double mean_ = 0;
  std::int64_t num_timed_ = 0;
};

}  // namespace kantor::sinkhorn
