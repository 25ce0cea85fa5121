#pragma once

// What the header of a safetensors file says. Format:
// https://github.com/huggingface/safetensors#format

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace kantor::data {

/// One tensor of the header.
struct TensorEntry {
  std::string name;
  std::string dtype;  ///< "F32", "BF16", ..; a word that nobody here knows is let pass
  std::vector<std::int64_t> shape;
  std::int64_t begin = 0;  ///< bytes from the start of the data
  std::int64_t end = 0;

  bool is_real() const { return dtype == "F32" || dtype == "F64"; }
  std::int64_t num_bytes() const { return end - begin; }
};

struct SafetensorsHeader {
  static constexpr std::size_t kMostTensors = std::size_t{1} << 18;
  static constexpr std::size_t kMostDimensions = 64;

  std::vector<TensorEntry> tensors;  ///< by name
  std::size_t data_offset = 0;       ///< of the first tensor's bytes in the file
};

/// Nothing in a header is trusted: its length is at most 100 MB, tensors and dimensions are as few
/// as the limits above say, there are no holes, overlaps or repeated names, and the size of each
/// tensor of a known type is that of its shape. Takes time and memory in proportion to the header.
/// @param file all of its bytes. @param path for messages. @throws DataError.
SafetensorsHeader parse_safetensors_header(const std::string& path,
                                           std::span<const std::byte> file);

/// A name from a file as messages show it: one short line, in quotes.
std::string shown_name(const std::string& name);

}  // namespace kantor::data
