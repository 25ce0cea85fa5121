#pragma once

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

namespace kantor::nccl {

/// Ends the process (exit code 75) if a call into the driver or NCCL does not come back: a deadline
/// that is polled helps nothing where the polling itself is stuck. Its thread touches no CUDA, NCCL
/// or MPI.
class LastResort {
 public:
  explicit LastResort(int rank);
  ~LastResort();
  LastResort(const LastResort&) = delete;
  LastResort& operator=(const LastResort&) = delete;

  /// While it lives, the process has this long. [s]
  class Watch {
   public:
    Watch(LastResort& owner, double limit_s, std::string what);
    ~Watch();
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

   private:
    LastResort& owner_;
  };

 private:
  void run();

  const int rank_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool is_over_ = false;
  double limit_s_ = 0;  // 0: nothing is watched
  double waited_s_ = 0;
  std::string what_;
  std::thread thread_;  // last: it uses all the others
};

}  // namespace kantor::nccl
