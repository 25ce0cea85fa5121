#pragma once

// Cost policies of the soft-min reduction: how a tile of C is made.
// Shapes: N rows, M columns, D dimensions.

#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "runtime/core/large_array.hpp"
#include "runtime/core/thread_pool.hpp"
#include "runtime/core/workspace.hpp"
#include "runtime/kernels/row_block.hpp"

namespace kantor::kernels {

/// Costs between points; definitions in the table of solvers/README.md.
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

/// An N x M matrix of costs that is made tile by tile. Its functions may be called by many threads.
template <class T>
class CostMatrix {
 public:
  virtual ~CostMatrix() = default;
  std::int64_t num_rows() const { return num_rows_; }
  std::int64_t num_columns() const { return num_columns_; }

  // A cost is taken apart where the policy allows: C_ij = row part i + column part j - rest, with
  // the rest a product of D factors (a register tile makes it from packed points) or stored.

  /// D of the product, 0 if the rest is stored: what prepare_columns() writes are D numbers per
  /// column.
  virtual std::int64_t depth() const { return 0; }

  /// @param first_column       a multiple of the panel width.
  /// @param[out] column_parts  [count].
  /// @param[out] points        [count / W, D, W] packed; nothing where D = 0.
  virtual void prepare_columns(std::int64_t first_column, std::int64_t count, double* column_parts,
                               T* points) const;

  /// What the loops read of rows first_row .. first_row + count - 1, in units of log2 e / epsilon.
  /// @param frame           what the result refers to lives in it, or in the matrix.
  /// @param[out] row_parts  [count].
  virtual RowOperand<T> rows(std::int64_t first_row, std::int64_t count, double epsilon,
                             Workspace::Frame& frame, double* row_parts) const = 0;

  /// No cost is below it, but for rounding.
  virtual T least() const { return -std::numeric_limits<T>::infinity(); }

  /// A panel of plain costs: tile[r, j] = C_ij. Packs all columns for it where D > 0: whoever wants
  /// many panels has a PreparedReduction make them. @param[out] tile [count, M].
  virtual void costs(std::int64_t first_row, std::int64_t count, T* tile) const = 0;

 protected:
  CostMatrix(std::int64_t num_rows, std::int64_t num_columns)
      : num_rows_(num_rows), num_columns_(num_columns) {}

 private:
  std::int64_t num_rows_;
  std::int64_t num_columns_;
};

/// Recomputes tiles from points: one GEMM per tile for sqeuclidean, half_sqeuclidean, dot and (with
/// a square root) euclidean; coordinate differences for pnorm. Norms are taken in double. The
/// points must outlive the matrix and should be centred (subtract one common vector from both
/// sides) so that little cancels; for `dot`, which is not invariant, name that vector in `shift`:
/// costs are then those of x + shift and y + shift (no other cost changes with it).
/// @param shift [D] or empty.
/// @throws ShapeError, ValueError.
template <class T>
std::unique_ptr<CostMatrix<T>> streamed_cost(const Cost& cost, Points<T> x, Points<T> y,
                                             std::span<const double> shift = {});

/// A matrix taken apart as it is stored: C_ij = row part i + column part j + rest_ij.
template <class T>
struct SplitCosts {
  std::vector<double> row_parts;     ///< [N]
  std::vector<double> column_parts;  ///< [M]
  std::vector<T> rest;               ///< [N, M] row-major

  SplitCosts transposed() const;
};

/// A stored matrix, N x M row-major, kept by the object: made once from another matrix.
template <class T>
class StoredCost final : public CostMatrix<T> {
 public:
  StoredCost(const CostMatrix<T>& source, ThreadPool& pool);
  /// @throws ShapeError.
  explicit StoredCost(SplitCosts<T> given);
  void prepare_columns(std::int64_t first_column, std::int64_t count, double* column_parts,
                       T* points) const override;
  RowOperand<T> rows(std::int64_t first_row, std::int64_t count, double epsilon,
                     Workspace::Frame& frame, double* row_parts) const override;
  void costs(std::int64_t first_row, std::int64_t count, T* tile) const override;

 private:
  LargeArray<T> made_;
  SplitCosts<T> given_;
  const T* values_;  ///< in one of the two
};

}  // namespace kantor::kernels
