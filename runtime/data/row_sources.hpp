#pragma once

// Rows of a matrix in memory or in a mapped file. Shapes: n rows, D dimensions.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "runtime/data/data_file.hpp"
#include "runtime/data/marginal.hpp"

namespace kantor::data {

/// Elements of type T (float, double, std::uint8_t) at any alignment:
/// element (i, k) lies at first + (i * row_stride + k * column_stride) * sizeof(T).
struct MatrixLayout {
  const std::byte* first = nullptr;
  std::int64_t num_rows = 0;
  std::int64_t num_dims = 0;
  std::int64_t row_stride = 0;     ///< in elements
  std::int64_t column_stride = 1;  ///< in elements
};

/// Rows of a file, where they are in it.
template <class T>
std::shared_ptr<const RowSource> matrix_rows(const MatrixLayout& layout,
                                             std::shared_ptr<const DataFile> file);

/// Each row of the source over its Euclidean norm; a row of zeros stays one.
std::shared_ptr<const RowSource> unit_rows(std::shared_ptr<const RowSource> source);

/// @param values [num_rows, num_dims] row-major, kept.
template <class T>
std::shared_ptr<const RowSource> memory_rows(std::vector<T> values, std::int64_t num_rows,
                                             std::int64_t num_dims);

/// A matrix of which this rank has rows first, first + 1, .. alone; reading another is an error.
/// @param values [count, num_dims] row-major, kept.
std::shared_ptr<const RowSource> partial_rows(std::vector<double> values, std::int64_t first,
                                              std::int64_t num_rows, std::int64_t num_dims);

}  // namespace kantor::data
