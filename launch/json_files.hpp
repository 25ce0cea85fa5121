#pragma once

// The JSON texts of a run directory. nlohmann-json stays behind this header. NaN and infinities are
// written as null; numbers read back as the same double.

#include <cstdint>
#include <string>
#include <vector>

#include "solvers/result.hpp"

namespace kantor::launch {

/// How a run was carried out, the same on all ranks.
struct RunFacts {
  int world_size = 1;
  std::string backend;
  std::string device;
  std::string precision;
  int threads = 1;                     ///< per rank
  std::int64_t peak_memory_bytes = 0;  ///< largest resident size of any rank
  std::vector<std::string> hosts;      ///< one per rank
};

/// result.json, schema 1; keys that do not apply are absent.
std::string result_json(const Result& result, const RunFacts& facts);

/// environment.json: what the numbers were made with. @param command_line program and arguments.
std::string environment_json(const RunFacts& facts, const std::vector<std::string>& command_line);

/// STATUS.
struct Status {
  std::string state;   ///< "running", "done", "not converged", "stopped", "failed"
  std::string reason;  ///< of a failure
  std::int64_t step = 0;
};
std::string status_json(const Status& status);
/// State "unknown" if the text is not a STATUS.
Status parse_status(const std::string& text);

}  // namespace kantor::launch
