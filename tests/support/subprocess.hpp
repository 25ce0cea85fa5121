#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <string>
#include <vector>

namespace kantor::test {

struct ProcessOutcome {
  int exit_code = -1;  ///< 128 + signal if it was killed
  bool timed_out = false;
  std::string out;
  std::string err;
};

/// A program at work (looked up in PATH), with empty standard input, in a process group of its own.
/// What still lives of that group at the end of this object is killed.
class Process {
 public:
  /// @throws std::runtime_error if it cannot be started.
  Process(const std::vector<std::string>& command, const std::string& working_directory);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }
  /// To the program itself, not to its children.
  void send(int signal_number) const;
  /// Reads until the text stands on its standard error. @return whether it came before the
  /// deadline.
  bool says(const std::string& text, double deadline_s);
  /// Waits for it and everything that holds its output open. Past the deadline it is killed with
  /// all its children.
  ProcessOutcome wait(double deadline_s);

 private:
  /// Reads what comes; false once both ends are closed, or nothing came in time.
  bool read_some(std::chrono::milliseconds timeout);

  pid_t pid_ = -1;
  int out_ = -1;
  int err_ = -1;
  ProcessOutcome outcome_;
};

/// Starts, waits.
ProcessOutcome run_process(const std::vector<std::string>& command,
                           const std::string& working_directory, double deadline_s);

/// Looks every few milliseconds whether it has become true. @return whether it did in time.
bool becomes_true(const std::function<bool()>& condition, double deadline_s);

}  // namespace kantor::test
