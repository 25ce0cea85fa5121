#pragma once

// The folder a run leaves behind (README: "What a run leaves"). Rank 0 alone has one.

#include <memory>
#include <string>

#include "launch/json_files.hpp"
#include "runtime/checkpoint/run_lock.hpp"
#include "solvers/result.hpp"

namespace kantor::launch {

class RunDirectory {
 public:
  /// Creates the folder and locks it, so that of two runs started at once one is refused; with
  /// `resume` the folder may be there already. @throws ConfigError (in use), IoError.
  explicit RunDirectory(const std::string& path, bool resume = false);

  const std::string& path() const { return path_; }
  /// The path of a file in it.
  std::string file(const std::string& name) const { return path_ + "/" + name; }

  /// @throws IoError (all of them).
  void write_text(const std::string& name, const std::string& text) const;
  void copy_in(const std::string& source, const std::string& name) const;
  void set_status(const Status& status) const;
  /// Potentials, certificate potentials and model, then result.json last of all: a folder that has
  /// it is complete.
  void write_result(const Result& result, const RunFacts& facts) const;
  /// STATUS "failed"; a second failure on the way is left aside, the first one is being reported.
  void set_failed(const std::string& reason) const noexcept;

 private:
  std::string path_;
  std::unique_ptr<checkpoint::RunLock> lock_;
};

}  // namespace kantor::launch
