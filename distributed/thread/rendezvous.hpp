#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>

namespace kantor::thread {

/// Where the ranks of one process meet: the k-th meeting is complete when every rank has arrived k
/// times. It can be closed for good, by a rank that gives up or leaves; then no later meeting is
/// completed, and all who wait or arrive learn of it at once.
class Rendezvous {
 public:
  explicit Rendezvous(int num_ranks);
  Rendezvous(const Rendezvous&) = delete;
  Rendezvous& operator=(const Rendezvous&) = delete;

  /// Comes to the next meeting and returns its number; nothing if the place is closed. What this
  /// rank wrote before is seen by all who wait for that meeting.
  std::optional<std::int64_t> arrive();

  /// Waits until the meeting is complete: true. False: the place is closed or the time is over. [s]
  bool wait(std::int64_t meeting, double timeout_s);

  /// Closes the place unless that meeting is complete: false then. True: it never will be.
  /// @param reason told to every rank; that of the first to close is kept.
  bool close(std::int64_t meeting, const std::string& reason);

  /// Why the place is closed.
  std::string reason() const;

 private:
  bool is_over(std::int64_t meeting) const;

  const std::int64_t num_ranks_;
  const int num_spins_;
  mutable std::mutex mutex_;
  std::condition_variable news_;   // a meeting is complete, or the place is closed
  std::int64_t num_arrivals_ = 0;  // guarded by mutex_, like reason_
  std::string reason_;
  // Written under mutex_, read without it by those who spin. [a cache line of their own]
  alignas(64) std::atomic<std::int64_t> num_complete_{0};
  std::atomic<bool> is_closed_{false};
};

}  // namespace kantor::thread
