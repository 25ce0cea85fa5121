#pragma once

// safetensors files: 8-byte little-endian header length, JSON header, raw little-endian tensors.

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace kantor::data {

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

/// All F32 and F64 tensors. Headers are not trusted: length cap 100 MB, no holes, overlaps,
/// duplicates; products checked for overflow. @throws DataError.
std::vector<NamedTensor> read_safetensors(const std::string& path);

/// What the header says of a tensor of any type.
struct TensorOutline {
  std::string name;
  std::string dtype;  ///< "F32", "BF16", ..
  std::vector<std::int64_t> shape;
  std::int64_t bytes = 0;
};
/// All tensors by name, checked as by read_safetensors(). @throws DataError.
std::vector<TensorOutline> outline_safetensors(const std::string& path);

/// One F32 or F64 tensor of two dimensions (or one: D = 1) as rows, mapped; key may be empty if the
/// file holds just one. @throws DataError; ConfigError: no such key, or none where it is needed.
std::shared_ptr<const RowSource> open_safetensors(const std::string& path, const std::string& key);

}  // namespace kantor::data
