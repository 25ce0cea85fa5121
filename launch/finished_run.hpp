#pragma once

// What a finished run has left, checked as it is read back.

#include <string>
#include <vector>

#include "launch/configuration.hpp"
#include "launch/json_files.hpp"
#include "solvers/evaluate.hpp"

namespace kantor::launch {

/// result.json of a run directory. @throws DataError: missing or damaged.
StoredResult read_result(const std::string& run_directory);

/// Compares the files of results with the checksums that result.json has of them; older runs have
/// none. @throws DataError naming the file that is missing, damaged or of another run.
void check_result_files(const std::string& run_directory, const StoredResult& stored);

/// The configuration a run directory has kept, its data files found (load_run_configuration).
/// @throws UsageError: no run directory; ConfigError: the run has not finished; DataError: its
/// result is damaged, or a data file is nowhere.
LoadedConfiguration load_finished_run(const std::string& run_directory,
                                      const std::string& data_root);

/// Potentials and model, of the lengths of the problem and finite.
/// @throws DataError; also if data, cost or epsilon are not those that the run had.
StoredRun read_stored_run(const std::string& run_directory,
                          const std::vector<std::string>& fingerprints, const Problem& problem);

/// The potential of a marginal against itself, as a run with divergence leaves it.
/// @throws UsageError if it has none, DataError.
std::vector<double> read_self_potential(const std::string& run_directory, std::int64_t marginal);

/// --resume of a finished run can only repeat it as it was: other settings or data would not be
/// those of its result. @throws ConfigError naming what differs; DataError: data cannot be read.
void check_same_run(const std::string& run_directory, const LoadedConfiguration& loaded);

}  // namespace kantor::launch
