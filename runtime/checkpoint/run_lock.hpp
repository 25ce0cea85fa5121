#pragma once

#include <memory>
#include <string>

#include "runtime/checkpoint/heartbeat_lock.hpp"
#include "runtime/data/file_system.hpp"

namespace kantor::checkpoint {

/// The right to write a run directory: a flock on its file LOCK, which also says who holds it. The
/// kernel releases it when the process ends, however it ends; the file stays. On a file system that
/// knows no flock (some mounts of Lustre and NFS) a HeartbeatLock takes its place.
class RunLock {
 public:
  /// @param wait_s how long to wait for a process that holds it, such as one that is being
  ///                   killed. @throws ConfigError naming the holder if it keeps it; IoError.
  explicit RunLock(const std::string& run_directory, double wait_s = 0.1);
  RunLock(const std::string& run_directory, data::FileSystem& files);

  /// False where a heartbeat stands in for the kernel, which is worth a line: after a kill on
  /// another host it takes a minute until the run can go on.
  bool is_by_kernel() const { return heartbeat_ == nullptr; }

  /// Whether a living process holds it now, for `inspect`; false where there is no lock file.
  /// @throws IoError if it cannot be tried.
  static bool is_held(const std::string& run_directory);

 private:
  void acquire(const std::string& run_directory, double wait_s);

  data::FileSystem kernel_;
  data::FileSystem& files_;
  std::unique_ptr<data::Descriptor> file_;
  std::unique_ptr<HeartbeatLock> heartbeat_;  ///< after the file systems, which it uses
};

}  // namespace kantor::checkpoint
