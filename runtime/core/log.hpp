#pragma once

#include <memory>
#include <string>

namespace kantor {

/// Messages of one run. Rank 0 writes to the terminal (stderr) and, once open_file was called, to
/// log.txt with time stamps; other ranks write warnings only, prefixed by their rank. Passed down,
/// never global.
class Log {
 public:
  struct Options {
    int rank = 0;
    bool quiet = false;  ///< keep info off the terminal; warnings still show
  };
  explicit Log(const Options& options);
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  /// Starts log.txt (rank 0 only; a no-op elsewhere). @throws IoError.
  void open_file(const std::string& path);
  void info(const std::string& message);
  void warn(const std::string& message);
  /// A warning about what all ranks see alike: rank 0 says it.
  void warn_once(const std::string& message);
  /// To log.txt alone.
  void detail(const std::string& message);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace kantor
