#pragma once

#include "runtime/data/data_file.hpp"

namespace kantor::data {

enum class DataFormat { npy, idx, safetensors };

/// By extension where it says what is meant, so that a damaged file is told as such; else by the
/// first bytes. @throws DataError: none of the three.
DataFormat format_of(const DataFile& file);

}  // namespace kantor::data
