#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "runtime/data/npy.hpp"

namespace kantor::data {

/// Parses the start of a .npy file and compares the size it announces with the file's.
/// @param bytes the whole file. @throws DataError.
NpyHeader parse_npy_header(const std::string& path, std::span<const std::byte> bytes);

}  // namespace kantor::data
