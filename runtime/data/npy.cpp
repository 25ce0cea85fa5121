#include "runtime/data/npy.hpp"

#include <string_view>
#include <utility>

#include "runtime/core/error.hpp"
#include "runtime/data/atomic_file.hpp"
#include "runtime/data/checked_size.hpp"
#include "runtime/data/data_file.hpp"
#include "runtime/data/npy_header.hpp"
#include "runtime/data/row_sources.hpp"

namespace kantor::data {
namespace {

std::string shape_text(std::span<const std::int64_t> shape) {
  std::string text = "(";
  for (std::size_t i = 0; i < shape.size(); ++i) text += concat(i > 0 ? ", " : "", shape[i]);
  return text + (shape.size() == 1 ? ",)" : ")");
}

enum class Real { float32, float64 };

Real real_type(const std::string& path, const std::string& descr) {
  const std::string_view type = std::string_view(descr).substr(1);
  if (type == "f4") return Real::float32;
  if (type == "f8") return Real::float64;
  const char* remedy = type[0] == 'c' ? "split real and imaginary parts into columns"
                                      : "convert with x.astype(numpy.float32)";
  throw DataError(concat("cannot use ", path, ": its elements are '", descr,
                         "', expected float32 ('<f4') or float64 ('<f8'); ", remedy));
}

MatrixLayout matrix_layout(const std::string& path, const NpyHeader& header, const DataFile& file) {
  const auto& shape = header.shape;
  if (shape.size() != 1 && shape.size() != 2) {
    throw DataError(concat("cannot use ", path, ": its shape is ", shape_text(shape),
                           ", expected (n, d) or (n,); reshape with x.reshape(len(x), -1)"));
  }
  const std::int64_t n = shape[0];
  const std::int64_t d = shape.size() == 2 ? shape[1] : 1;
  if (n == 0 || d == 0) {
    throw DataError(concat("cannot use ", path, ": its shape is ", shape_text(shape),
                           ", expected at least one row and one column"));
  }
  return {.first = file.bytes().data() + header.data_offset,
          .num_rows = n,
          .num_dims = d,
          .row_stride = header.fortran_order ? 1 : d,
          .column_stride = header.fortran_order ? n : 1};
}

/// The header of format 1.0, padded so that the data starts at a multiple of 64 bytes.
std::string npy_header(const char* descr, std::span<const std::int64_t> shape) {
  std::string dictionary = concat("{'descr': '", descr,
                                  "', 'fortran_order': False, 'shape': ", shape_text(shape), ", }");
  constexpr std::size_t kPreamble = 10;
  while ((kPreamble + dictionary.size() + 1) % 64 != 0) dictionary += ' ';
  dictionary += '\n';
  KANTOR_CHECK(dictionary.size() < 65536, "a shape of ", shape.size(), " dimensions");
  std::string text("\x93NUMPY\x01\x00", 8);
  text += static_cast<char>(dictionary.size() & 0xff);
  text += static_cast<char>(dictionary.size() >> 8);
  return text + dictionary;
}

template <class T>
void write_array(const std::string& path, const char* descr, std::span<const T> values,
                 std::span<const std::int64_t> shape) {
  KANTOR_CHECK(checked_product(shape) == static_cast<std::int64_t>(values.size()), values.size(),
               " values for the shape ", shape_text(shape));
  const std::string header = npy_header(descr, shape);
  AtomicFile file(path);
  file.write(std::as_bytes(std::span(header)));
  file.write(std::as_bytes(values));
  file.commit();
}

}  // namespace

NpyHeader read_npy_header(const DataFile& file) {
  return parse_npy_header(file.path(), file.bytes());
}

std::shared_ptr<const RowSource> open_npy(std::shared_ptr<const DataFile> file) {
  const std::string path = file->path();
  const NpyHeader header = read_npy_header(*file);
  const Real type = real_type(path, header.descr);
  const MatrixLayout layout = matrix_layout(path, header, *file);
  return type == Real::float32 ? matrix_rows<float>(layout, std::move(file))
                               : matrix_rows<double>(layout, std::move(file));
}

std::shared_ptr<const RowSource> open_npy(const std::string& path) {
  return open_npy(std::make_shared<const DataFile>(path));
}

std::vector<double> read_npy_vector(const std::string& path) {
  const auto file = std::make_shared<const DataFile>(path);
  const NpyHeader header = read_npy_header(*file);
  if (header.shape.size() != 1) {
    throw DataError(concat("cannot use ", path, ": its shape is ", shape_text(header.shape),
                           ", expected (n,); flatten it with x.ravel()"));
  }
  const auto source = open_npy(file);
  std::vector<std::int64_t> rows(static_cast<std::size_t>(source->num_rows()));
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<std::int64_t>(i);
  std::vector<double> values(rows.size());
  source->read(rows, values.data());
  return values;
}

void write_npy(const std::string& path, std::span<const double> values,
               std::span<const std::int64_t> shape) {
  write_array(path, "<f8", values, shape);
}

void write_npy(const std::string& path, std::span<const float> values,
               std::span<const std::int64_t> shape) {
  write_array(path, "<f4", values, shape);
}

}  // namespace kantor::data
