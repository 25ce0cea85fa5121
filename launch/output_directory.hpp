#pragma once

// Folders that a verb writes: always new (or empty), so that nothing is ever written over.
// Called by rank 0 alone.

#include <string>
#include <string_view>

namespace kantor::launch {

/// Looks whether create_output_directory() would succeed, without touching anything, so that a long
/// reading of data does not end in a refusal.
/// @throws ConfigError if it exists and is not an empty folder, IoError if it cannot be created.
void check_output_directory(const std::string& path);

/// Creates the folder and its parents; an empty folder is taken as it is. @throws as above.
void create_output_directory(const std::string& path);

/// "" if there is no such file. @throws DataError: a folder, a device, too long; IoError.
std::string read_text_file(const std::string& path);

/// Written aside and then renamed. @throws IoError.
void write_text_file(const std::string& path, std::string_view text);

}  // namespace kantor::launch
