#pragma once

// The folder a run leaves behind (launch/RUNS.md). Rank 0 alone has one.

#include <memory>
#include <string>

#include "launch/json_files.hpp"
#include "runtime/checkpoint/run_lock.hpp"
#include "solvers/result.hpp"

namespace kantor::launch {

class RunDirectory {
 public:
  /// Creates the folder and locks it, so that of two runs started at once one is refused.
  /// @throws ConfigError (in use), IoError.
  explicit RunDirectory(const std::string& path);
  /// Locks one that is there and changes nothing else.
  /// @param wait_s for a run that is being killed and lets go of the lock when it ends.
  /// @throws ConfigError (in use), IoError.
  RunDirectory(const std::string& path, double wait_s);

  const std::string& path() const { return path_; }
  bool is_locked_by_kernel() const { return lock_->is_by_kernel(); }
  /// The path of a file in it.
  std::string file(const std::string& name) const { return path_ + "/" + name; }

  /// @throws IoError (all of them).
  void write_text(const std::string& name, const std::string& text) const;
  void set_status(const Status& status);
  /// What runs that were killed have left half-written.
  void remove_leftovers() const;
  /// Potentials, certificate potentials, moved points and model, then result.json with their
  /// checksums last of all: a folder that has it is complete.
  /// @throws NumericError as well, before anything is written: a number is not finite.
  void write_result(const Result& result, const RunFacts& facts) const;
  /// STATUS "failed"; a second failure on the way is left aside, the first one is being reported.
  void set_failed(const std::string& reason) noexcept;

 private:
  std::string path_;
  std::int64_t step_ = 0;  ///< last one in STATUS
  std::unique_ptr<checkpoint::RunLock> lock_;
};

/// STATUS "failed" from a process that does not hold the directory, as far as it can.
void mark_failed(const std::string& path, const std::string& reason) noexcept;

}  // namespace kantor::launch
