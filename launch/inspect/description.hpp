#pragma once

// What `kantor inspect` says of a file or folder, as lines for people.

#include <string>
#include <vector>

namespace kantor::launch {

struct Description {
  std::vector<std::string> lines;
  std::string damage;  ///< reported as an error of the data once the lines are printed; or ""
};

/// Text from a file on one line, without control characters.
std::string printable(std::string text);

/// .npy, idx-ubyte, .safetensors: kind, shape, type, values, how a problem file names it.
/// @throws DataError: damaged, or none of these.
Description describe_data_file(const std::string& path);

/// A folder that `kantor run` wrote, whatever became of the run.
/// @throws IoError: it cannot be read.
Description describe_run_directory(const std::string& path);

/// What a problem file asks for; its data files are opened. @throws ConfigError, DataError.
Description describe_problem(const std::string& path);

/// The newest checkpoints of a folder and whether they are valid; empty without any.
std::vector<std::string> describe_checkpoints(const std::string& folder);

}  // namespace kantor::launch
