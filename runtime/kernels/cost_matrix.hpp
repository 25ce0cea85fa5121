#pragma once

// Cost policies of the soft-min reduction: how a tile of C is made.
// Shapes: N rows, M columns, D dimensions.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "runtime/core/thread_pool.hpp"

namespace kantor::kernels {

/// Costs between points; definitions in the README's table of costs.
enum class CostKind { sqeuclidean, half_sqeuclidean, dot, euclidean, pnorm };
struct Cost {
  CostKind kind = CostKind::sqeuclidean;
  double p = 2;  ///< exponent of pnorm, > 1
};

/// c(x, y) in double by coordinate differences: the definition, and the reference of the tiles.
/// @param x, y [D].
double cost_between(const Cost& cost, std::span<const double> x, std::span<const double> y);

/// Points as the tiles need them, the rows of a matrix.
template <class T>
struct Points {
  const T* data = nullptr;  ///< [n, d] row-major
  std::int64_t n = 0;
  std::int64_t d = 0;
};

/// An N x M matrix of costs that is made tile by tile.
template <class T>
class CostMatrix {
 public:
  virtual ~CostMatrix() = default;
  std::int64_t num_rows() const { return num_rows_; }
  std::int64_t num_columns() const { return num_columns_; }

  /// Makes the logits of a row panel, each row up to a shift of its own:
  ///   log b_j + (g_j - C_ij) / eps = logits[r, j] + bias_shift - row_shifts[r] / eps
  /// for i = first_row + r and j = 0 .. M - 1. Costs are separated into row, column and cross parts
  /// where the policy allows.
  /// @param bias            [M], from column_bias() of the same epsilon; that returned bias_shift.
  /// @param[out] logits     [count, M], leading dimension M.
  /// @param[out] row_shifts [count] in units of the cost.
  virtual void logits(std::int64_t first_row, std::int64_t count, const T* bias, double epsilon,
                      T* logits, double* row_shifts) const = 0;

  /// What logits() needs as bias for these potentials: log_b_j + (g_j - column part of C) / eps,
  /// less bias_shift, the largest of them: large potentials then cost a float tile no digits.
  /// @param[out] bias [M].
  /// @return bias_shift; 0 where every log-weight is -inf.
  virtual double column_bias(std::span<const double> log_b, std::span<const double> g,
                             double epsilon, std::span<T> bias) const = 0;

  /// A panel of plain costs: tile[r, j] = C_ij. @param[out] tile [count, M].
  virtual void costs(std::int64_t first_row, std::int64_t count, T* tile) const = 0;

 protected:
  CostMatrix(std::int64_t num_rows, std::int64_t num_columns)
      : num_rows_(num_rows), num_columns_(num_columns) {}

 private:
  std::int64_t num_rows_;
  std::int64_t num_columns_;
};

/// Recomputes tiles from points: one GEMM per tile for sqeuclidean, half_sqeuclidean, dot and (with
/// a square root) euclidean; coordinate differences for pnorm. Norms are taken once, in double. The
/// points must outlive the matrix and should be centred (subtract one common vector from both
/// sides) so that little cancels; for `dot`, which is not invariant, name that vector in `shift`:
/// costs are then those of x + shift and y + shift (no other cost changes with it).
/// @param shift [D] or empty.
/// @throws ShapeError, ValueError.
template <class T>
std::unique_ptr<CostMatrix<T>> streamed_cost(const Cost& cost, Points<T> x, Points<T> y,
                                             std::span<const double> shift = {});

/// A stored matrix, N x M row-major, kept by the object: made once from another matrix.
template <class T>
class StoredCost final : public CostMatrix<T> {
 public:
  StoredCost(const CostMatrix<T>& source, ThreadPool& pool);
  /// @param values [num_rows, num_columns] row-major.
  StoredCost(std::vector<T> values, std::int64_t num_rows, std::int64_t num_columns);
  void logits(std::int64_t first_row, std::int64_t count, const T* bias, double epsilon, T* logits,
              double* row_shifts) const override;
  double column_bias(std::span<const double> log_b, std::span<const double> g, double epsilon,
                     std::span<T> bias) const override;
  void costs(std::int64_t first_row, std::int64_t count, T* tile) const override;

 private:
  std::vector<T> values_;
};

}  // namespace kantor::kernels
