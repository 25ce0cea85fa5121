#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "runtime/data/file_system.hpp"

namespace kantor::checkpoint {

/// The right to write a folder whose file system knows no locks: the file LOCK.<n> of the largest n
/// in it, made by exactly one process (O_EXCL), which it names. A thread renews its time. Whoever
/// finds it free, its process dead (same host), or its time older than kStale_s makes the next one;
/// since numbers only grow, two that find it so at once cannot both succeed.
class HeartbeatLock {
 public:
  static constexpr double kStale_s = 60;
  static constexpr double kBeat_s = 5;

  /// What is known of the process that has it.
  struct Holder {
    std::string name;      ///< "pid 123 on host a", or "unknown"
    double age_s = 0;      ///< since it last gave a sign of life
    bool is_here = false;  ///< this host knows that it lives
  };

  /// @param on_loss called by the thread once another process has taken over, after this one had
  ///                been stopped for longer than kStale_s: it must not write any more.
  /// @return nothing while another process has it; `holder` says which. @throws IoError.
  static std::unique_ptr<HeartbeatLock> take(const std::string& folder, data::FileSystem& files,
                                             Holder& holder, std::function<void()> on_loss,
                                             double beat_s = kBeat_s);
  /// Whether a process that seems alive has it; writes nothing.
  static bool is_held(const std::string& folder, data::FileSystem& files);

  /// Leaves the file behind, with the time 0: free.
  ~HeartbeatLock();
  HeartbeatLock(const HeartbeatLock&) = delete;
  HeartbeatLock& operator=(const HeartbeatLock&) = delete;

 private:
  HeartbeatLock(std::string folder, long long number, std::unique_ptr<data::Descriptor> file,
                std::function<void()> on_loss, double beat_s);
  void beat();
  bool is_lost() const;

  std::string folder_;
  long long number_;
  std::unique_ptr<data::Descriptor> file_;
  std::function<void()> on_loss_;
  double beat_s_;
  std::mutex mutex_;
  std::condition_variable ended_;
  bool is_over_ = false;
  std::thread thread_;  // last: it uses all the others
};

}  // namespace kantor::checkpoint
