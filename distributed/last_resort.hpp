#pragma once

#include <algorithm>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

namespace kantor {

/// Ends the process (exit code 75) if a call into MPI, NCCL or a driver does not come back: a
/// deadline that is polled helps nothing where the polling itself is stuck, and some calls (the
/// start and the end of MPI) cannot be polled. Its thread touches none of these.
class LastResort {
 public:
  /// Beyond every deadline that is polled, so that those have the first word. [s]
  static double limit_of(double timeout_s) { return 2 * timeout_s + 5; }
  /// While MPI starts, which many ranks do for longer than one collective, and which has no polled
  /// deadline that could come first. [s]
  static double limit_of_start(double timeout_s) { return std::max(10.0, 5 * timeout_s); }

  explicit LastResort(int rank);
  ~LastResort();
  LastResort(const LastResort&) = delete;
  LastResort& operator=(const LastResort&) = delete;

  /// What the process is doing, for the one line it leaves; called by the thread.
  using Describe = std::function<std::string()>;

  /// While it lives, the process has this long. They nest: at its end the one before starts anew.
  class Watch {
   public:
    Watch(LastResort& owner, double limit_s, Describe what);
    ~Watch();
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

   private:
    LastResort& owner_;
    double outer_limit_s_;
    Describe outer_what_;
  };

 private:
  void run();

  const int rank_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool is_over_ = false;
  double limit_s_ = 0;  // 0: nothing is watched
  double waited_s_ = 0;
  Describe what_;
  std::thread thread_;  // last: it uses all the others
};

}  // namespace kantor
