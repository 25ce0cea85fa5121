#pragma once

#include <string>

namespace kantor::data {

enum class DataFormat { npy, idx, safetensors };

/// By extension where it says what is meant, so that a damaged file is told as such; else by the
/// first bytes. @throws DataError: missing, or none of the three.
DataFormat format_of(const std::string& path);

}  // namespace kantor::data
