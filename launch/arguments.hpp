#pragma once

// The command line: words in, one verb's arguments out. CLI11 stays behind this header.

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace kantor::launch {

/// kantor run PROBLEM.toml ...
struct RunArguments {
  std::string problem;
  std::vector<std::string> settings;  ///< --set a.b=c, in order
  std::string out;                    ///< --out, "runs/<stem of the problem>" by default
  bool resume = false;
  bool dry_run = false;
  bool quiet = false;
};

/// kantor eval RUN_DIR ...
struct EvalArguments {
  std::string run_directory;
  std::string points;
  std::string key;  ///< of the points in a .safetensors file
  std::int64_t marginal = 0;
  bool as_is = false;  ///< points are scaled already
  bool debiased = false;
  std::string data_root;  ///< where the run's data are now; "" where they were
  std::string out;
};

/// kantor inspect PATH
struct InspectArguments {
  std::string path;
};

/// kantor keys [TABLE]
struct KeysArguments {
  std::string table;  ///< "" for the list of all
};

/// kantor doctor ...
struct DoctorArguments {
  std::string out;  ///< --out, "runs" by default: where runs would be written
};

/// --help, --version: a text to print, and nothing else to do.
struct Answer {
  std::string text;
};

using Arguments = std::variant<Answer, RunArguments, EvalArguments, InspectArguments, KeysArguments,
                               DoctorArguments>;

/// @param words the command line without the program's name.
/// @throws UsageError, one line that names the nearest verb or flag.
Arguments parse_arguments(const std::vector<std::string>& words);

}  // namespace kantor::launch
