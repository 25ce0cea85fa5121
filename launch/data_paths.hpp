#pragma once

// Where the data files of a problem lie, seen from the directory of its run: both may move.

#include <string>

#include "runtime/config/value.hpp"

namespace kantor::launch {

/// Takes the names of data files out of a configuration.
void forget_file_names(config::Value& configuration);

/// Makes them relative to the run directory where the data lie beside it: below it, below the
/// folder that holds it, or below the one above that (runs/NAME beside the data). Others stay
/// absolute.
void shorten_file_names(config::Value& configuration, const std::string& run_directory);

struct DataPlaces {
  std::string run_directory;  ///< where the run was when it was written; "" if not known
  std::string data_root;      ///< --data-root; "" if not given
};
/// Makes the file names of a run's resolved.toml absolute. With a data root each is looked for
/// below that alone, by as much of the end of its path as is found there. Else relative names start
/// from where the run is, and then from where it was.
/// @throws DataError: it is nowhere.
void find_data_files(config::Value& configuration, const DataPlaces& places);

}  // namespace kantor::launch
