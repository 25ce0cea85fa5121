#pragma once

// Whether the configuration and the data of a finished run are those of its result.

#include <string>
#include <vector>

#include "launch/configuration.hpp"

namespace kantor::launch {

/// The configuration a run directory has kept, its data files found (load_run_configuration).
/// @throws UsageError: no run directory; ConfigError: the run has not finished; DataError: a data
/// file is nowhere.
LoadedConfiguration load_finished_run(const std::string& run_directory,
                                      const std::string& data_root);

/// Data, cost and epsilon of a problem are those that the run had. @throws DataError.
/// @param result its result.json.
void check_run_of(const std::string& run_directory, const Record& result,
                  const std::vector<std::string>& fingerprints, const Problem& problem);

/// --resume of a finished run can only repeat it as it was: other settings or data would not be
/// those of its result. @throws ConfigError naming what differs; DataError: data cannot be read.
void check_same_run(const std::string& run_directory, const LoadedConfiguration& loaded);

}  // namespace kantor::launch
