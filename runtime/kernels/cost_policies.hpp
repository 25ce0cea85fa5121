#pragma once

// How each streamed cost makes its tiles; chosen by streamed_cost().
// Shapes: N rows, M columns, D dimensions.

#include <cstdint>
#include <span>
#include <vector>

#include "runtime/kernels/cost_matrix.hpp"
#include "runtime/kernels/vector_kernels.hpp"

namespace kantor::kernels {

/// C_ij = alpha_i + beta_j - factor <x_i, y_j>: sqeuclidean, half_sqeuclidean, dot.
template <class T>
class FactoredCost final : public CostMatrix<T> {
 public:
  /// Allocates nothing of the size of the points.
  FactoredCost(CostKind kind, Points<T> x, Points<T> y, std::span<const double> shift);
  std::int64_t depth() const override { return x_.d; }
  T least() const override { return is_distance_ ? T{0} : CostMatrix<T>::least(); }
  void prepare_columns(std::int64_t first_column, std::int64_t count, double* column_parts,
                       T* points) const override;
  RowOperand<T> rows(std::int64_t first_row, std::int64_t count, double epsilon,
                     Workspace::Frame& frame, double* row_parts) const override;
  void costs(std::int64_t first_row, std::int64_t count, T* tile) const override;

 private:
  double alpha(std::int64_t i) const;
  double beta(std::int64_t j) const;

  Points<T> x_;
  Points<T> y_;
  double factor_;
  std::vector<double> shift_;  ///< [D] or empty
  double shift_square_;
  bool is_distance_;  ///< costs are >= 0
};

/// C_ij = |x_i - y_j|: the root of the factored square where that is accurate, and of the summed
/// squares of the coordinate differences where the factored square has cancelled.
template <class T>
class EuclideanCost final : public CostMatrix<T> {
 public:
  EuclideanCost(Points<T> x, Points<T> y);
  RowOperand<T> rows(std::int64_t first_row, std::int64_t count, double epsilon,
                     Workspace::Frame& frame, double* row_parts) const override;
  void costs(std::int64_t first_row, std::int64_t count, T* tile) const override;

 private:
  Points<T> x_;
  Points<T> y_;
  std::vector<T> x_squares_;  ///< [N]
  std::vector<T> y_squares_;  ///< [M]
};

/// C_ij = (1/p) sum_k |x_ik - y_jk|^p by coordinate differences.
template <class T>
class PnormCost final : public CostMatrix<T> {
 public:
  PnormCost(double p, Points<T> x, Points<T> y);
  RowOperand<T> rows(std::int64_t first_row, std::int64_t count, double epsilon,
                     Workspace::Frame& frame, double* row_parts) const override;
  void costs(std::int64_t first_row, std::int64_t count, T* tile) const override;

 private:
  T p_;
  Points<T> x_;
  std::vector<T> y_columns_;  ///< [D, M]: neighbours in j are neighbours in memory
};

}  // namespace kantor::kernels
