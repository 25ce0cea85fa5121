#pragma once

// The JSON texts of a run directory.

#include <cstdint>
#include <optional>
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
  std::string instruction_set;
  int threads = 1;                     ///< per rank
  std::int64_t peak_memory_bytes = 0;  ///< largest resident size of any rank
  std::vector<std::string> hosts;      ///< one per rank
  std::string gpu_libraries;           ///< CUDA runtime and NCCL in use; "": no GPU is
  std::string shared_gpus;             ///< which ranks have no GPU of their own; or ""
};

/// result.json, schema 1, without checksums; keys that do not apply are absent.
Record result_record(const Result& result, const RunFacts& facts);

/// environment.json: what the numbers were made with. @param command_line program and arguments.
std::string environment_json(const RunFacts& facts, const std::vector<std::string>& command_line);

/// What tells of a run without a result; nothing if the text is not an environment.json.
struct StoredEnvironment {
  int world_size = 1;
  int threads = 1;
  std::string backend;
  std::vector<std::string> hosts;
  std::vector<std::string> command_line;
};
std::optional<StoredEnvironment> parse_environment(const std::string& text);

/// "train, step 60: loss 0.25, ..": the last whole line of a metrics.jsonl; "" without one.
std::string last_metrics(const std::string& text);

/// STATUS.
struct Status {
  std::string state;   ///< "running", "done", "not converged", "stopped", "failed"
  std::string reason;  ///< of a failure
  std::int64_t step = 0;
  std::int64_t pid = 0;   ///< of the writer; known when read
  std::string host = {};  ///< of the writer; known when read
};
std::string status_json(const Status& status);
/// State "unknown" if the text is not a STATUS.
Status parse_status(const std::string& text);

}  // namespace kantor::launch
