#pragma once

#include <string>
#include <vector>

namespace kantor::test {

struct ProcessOutcome {
  int exit_code = -1;  ///< 128 + signal if it was killed
  bool timed_out = false;
  std::string out;
  std::string err;
};

/// Runs a program (looked up in PATH) with empty standard input and waits for it and everything
/// that holds its output open. Past the deadline it is killed with all its children.
/// @throws std::runtime_error if it cannot be started.
ProcessOutcome run_process(const std::vector<std::string>& command,
                           const std::string& working_directory, double deadline_s);

}  // namespace kantor::test
