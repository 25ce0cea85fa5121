#pragma once

// safetensors files: 8-byte little-endian header length, JSON header, raw little-endian tensors.

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "runtime/data/safetensors_header.hpp"

namespace kantor::data {

class DataFile;
class RowSource;

/// A named tensor in double (stored as F32 or F64).
struct NamedTensor {
  std::string name;
  std::vector<std::int64_t> shape;
  std::vector<double> values;  ///< row-major
  bool is_float64 = false;     ///< how it is stored
};

/// Written aside and then renamed. @param metadata goes to "__metadata__". @throws IoError.
void write_safetensors(const std::string& path, const std::vector<NamedTensor>& tensors,
                       const std::map<std::string, std::string>& metadata);

/// All F32 and F64 tensors. @throws DataError: missing, or what parse_safetensors_header() refuses.
std::vector<NamedTensor> read_safetensors(const std::string& path);

/// What the header says of all tensors, whatever their types, by name. @throws DataError.
SafetensorsHeader read_safetensors_header(const DataFile& file);

/// The tensor of one entry of the file's header. @throws DataError as open_safetensors().
std::shared_ptr<const RowSource> open_tensor(std::shared_ptr<const DataFile> file,
                                             const SafetensorsHeader& header,
                                             const TensorEntry& entry);

/// One F32 or F64 tensor of two dimensions (or one: D = 1) as rows; key may be empty if the
/// file holds just one. @throws DataError; ConfigError: no such key, or none where it is needed.
std::shared_ptr<const RowSource> open_safetensors(std::shared_ptr<const DataFile> file,
                                                  const std::string& key);
std::shared_ptr<const RowSource> open_safetensors(const std::string& path, const std::string& key);

}  // namespace kantor::data
