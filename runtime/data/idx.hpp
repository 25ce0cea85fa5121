#pragma once

// MNIST-style idx-ubyte files, plain or gzip-compressed.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace kantor::data {

class DataFile;
class RowSource;

/// Images (any number of dimensions >= 2): rows are flattened, values are the bytes 0 .. 255; the
/// bytes are kept in memory as they are. @throws DataError: missing, damaged, truncated, not ubyte.
std::shared_ptr<const RowSource> open_idx(std::shared_ptr<const DataFile> file);
std::shared_ptr<const RowSource> open_idx(const std::string& path);

/// What the header says: {number of images, height, width} or {number of labels}. The elements are
/// not looked at. @throws DataError.
std::vector<std::int64_t> read_idx_shape(const std::string& path);

/// One-dimensional labels.
std::vector<std::uint8_t> read_idx_labels(const std::string& path);

}  // namespace kantor::data
