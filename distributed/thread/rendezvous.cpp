#include "distributed/thread/rendezvous.hpp"

#include <sched.h>

#include <algorithm>
#include <chrono>

#include "distributed/wait_clock.hpp"
#include "runtime/core/process.hpp"

namespace kantor::thread {
namespace {

// A wait first spins, for peers that are a microsecond away, unless ranks share cores; then it
// yields; then it sleeps until there is news.
constexpr int kNumSpins = 2000;
constexpr double kSleepAfter_s = 0.001;
constexpr double kLongestSleep_s = 0.1;  // only to look at the clock

}  // namespace

Rendezvous::Rendezvous(int num_ranks)
    : num_ranks_(num_ranks), num_spins_(num_ranks <= num_available_cores() ? kNumSpins : 0) {}

std::optional<std::int64_t> Rendezvous::arrive() {
  bool is_last = false;
  std::int64_t meeting = 0;
  {
    const std::lock_guard lock(mutex_);
    if (is_closed_.load(std::memory_order_relaxed)) return std::nullopt;
    meeting = num_arrivals_ / num_ranks_ + 1;
    is_last = ++num_arrivals_ == meeting * num_ranks_;
    if (is_last) num_complete_.store(meeting, std::memory_order_release);
  }
  if (is_last) news_.notify_all();
  return meeting;
}

bool Rendezvous::wait(std::int64_t meeting, double timeout_s) {
  const auto is_complete = [&] { return num_complete_.load(std::memory_order_acquire) >= meeting; };
  for (int spin = 0; spin < num_spins_; ++spin) {
    if (is_over(meeting)) return is_complete();
  }
  WaitClock clock(monotonic_seconds());
  for (double waited_s = 0; waited_s <= timeout_s; waited_s = clock.waited_s(monotonic_seconds())) {
    if (is_over(meeting)) return is_complete();
    if (waited_s < kSleepAfter_s) {
      sched_yield();
    } else {
      const double nap_s = std::min(kLongestSleep_s, timeout_s - waited_s);
      std::unique_lock lock(mutex_);
      news_.wait_for(lock, std::chrono::duration<double>(nap_s), [&] { return is_over(meeting); });
    }
  }
  return is_complete();
}

bool Rendezvous::close(std::int64_t meeting, const std::string& reason) {
  {
    const std::lock_guard lock(mutex_);
    if (num_complete_.load(std::memory_order_relaxed) >= meeting) return false;
    if (is_closed_.load(std::memory_order_relaxed)) return true;
    reason_ = reason;
    is_closed_.store(true, std::memory_order_release);
  }
  news_.notify_all();
  return true;
}

std::string Rendezvous::reason() const {
  const std::lock_guard lock(mutex_);
  return reason_;
}

bool Rendezvous::is_over(std::int64_t meeting) const {
  return num_complete_.load(std::memory_order_acquire) >= meeting ||
         is_closed_.load(std::memory_order_acquire);
}

}  // namespace kantor::thread
