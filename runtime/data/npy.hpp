#pragma once

// .npy files (NumPy format 1.0 - 3.0): memory-mapped reading by row, and writing.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace kantor::data {

class DataFile;
class RowSource;

/// What the header says.
struct NpyHeader {
  std::string descr;  ///< "<f4", "<f8", ...
  bool fortran_order = false;
  std::vector<std::int64_t> shape;
  std::int64_t data_offset = 0;  ///< bytes
};
/// @throws DataError: missing, not .npy, truncated, object-typed, big-endian.
NpyHeader read_npy_header(const DataFile& file);

/// float32 or float64, C or Fortran order, two-dimensional (or one-dimensional: D = 1).
/// Rows are read where they are in the file. @throws DataError, naming path, type, shape and what
/// was expected.
std::shared_ptr<const RowSource> open_npy(std::shared_ptr<const DataFile> file);
std::shared_ptr<const RowSource> open_npy(const std::string& path);

/// A one-dimensional float32 or float64 array in double.
std::vector<double> read_npy_vector(const std::string& path);

/// Writes float64 / float32, C order, aside and then renamed. @param shape e.g. {n} or {n, d}.
/// @throws IoError.
void write_npy(const std::string& path, std::span<const double> values,
               std::span<const std::int64_t> shape);
void write_npy(const std::string& path, std::span<const float> values,
               std::span<const std::int64_t> shape);

}  // namespace kantor::data
