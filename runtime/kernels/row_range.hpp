#pragma once

#include <algorithm>
#include <cstdint>

#include "runtime/kernels/cost_matrix.hpp"

namespace kantor::kernels {

/// Some rows of a matrix, which must outlive it.
template <class T>
class RowRange final : public CostMatrix<T> {
 public:
  RowRange(const CostMatrix<T>& whole, std::int64_t first_row, std::int64_t num_rows)
      : CostMatrix<T>(num_rows, whole.num_columns()), whole_(whole), first_row_(first_row) {}

  std::int64_t depth() const override { return whole_.depth(); }
  T least() const override { return whole_.least(); }
  void prepare_columns(std::int64_t first_column, std::int64_t count, double* column_parts,
                       T* points) const override {
    whole_.prepare_columns(first_column, count, column_parts, points);
  }
  RowOperand<T> rows(std::int64_t first_row, std::int64_t count, double epsilon,
                     Workspace::Frame& frame, double* row_parts) const override {
    return whole_.rows(first_row_ + first_row, count, epsilon, frame, row_parts);
  }
  void costs(std::int64_t first_row, std::int64_t count, T* tile) const override {
    whole_.costs(first_row_ + first_row, count, tile);
  }

 private:
  const CostMatrix<T>& whole_;
  std::int64_t first_row_;
};

}  // namespace kantor::kernels
