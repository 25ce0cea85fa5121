#pragma once

// A problem file (or the resolved.toml of a run) with its --set values, read and checked.

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/config/value.hpp"
#include "solvers/registry.hpp"

namespace kantor::launch {

struct LoadedConfiguration {
  std::string text;  ///< of the file, as it was read
  Configuration typed;
  config::Value resolved;                 ///< every value with its origin
  std::vector<std::string> fingerprints;  ///< of the marginals; only a resolved.toml has them
};

/// @throws UsageError (no such file), ConfigError.
LoadedConfiguration load_configuration(const std::string& path,
                                       const std::vector<std::string>& settings);

/// Reads the resolved.toml of a run, whose data are to be read again: they are looked for.
/// @param data_root the folder that they are below now; "" to go by their names.
/// @throws DataError as well: a file is not there.
LoadedConfiguration load_run_configuration(const std::string& path, const std::string& data_root);

/// The text of resolved.toml: all values with origins, then the table [fingerprints], which
/// load_configuration takes out again. kantor runs it like any problem file.
/// @param run_directory that it is written to: file names beside it are relative; "" for a text
/// that is only shown.
std::string resolved_toml(const config::Value& resolved, const Problem& problem,
                          const std::string& run_directory);

/// The same on all ranks that were given the same configuration. File names are left out: they may
/// differ between hosts, and what is in the files is compared by load_problem().
std::int64_t configuration_hash(const config::Value& resolved);

std::uint64_t hash_of(const std::string& text);

/// Which marginal is not what the run saw, by name; "" if all are.
std::string changed_data(const std::vector<std::string>& stored, const Problem& problem);

}  // namespace kantor::launch
