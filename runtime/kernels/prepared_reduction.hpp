#pragma once

// What every entry point of soft_min.hpp does with its columns and with a block of rows. Private to
// this folder. Shapes: N rows, M columns; R rows of a block, P panels of W columns.

#include <cstdint>
#include <functional>
#include <span>

#include "runtime/core/thread_pool.hpp"
#include "runtime/kernels/row_cut.hpp"
#include "runtime/kernels/soft_min.hpp"
#include "runtime/kernels/vector_kernels.hpp"

namespace kantor::kernels {

inline std::size_t at(std::int64_t index) { return static_cast<std::size_t>(index); }

/// @throws ShapeError unless a vector of the reduction has the size that the cost matrix asks for.
void check_size(const char* what, std::size_t size, std::int64_t expected);

/// A checked reduction with its columns prepared, and its rows cut into blocks. What it allocates
/// is taken from the caller's workspace of the pool: 3 M numbers, and the packed points of the
/// columns (M D numbers) where the cost is made from points.
template <class T>
class PreparedReduction {
 public:
  /// @throws ShapeError, ValueError.
  PreparedReduction(const Reduction<T>& reduction, ThreadPool& pool);
  /// For costs alone, without potentials.
  static PreparedReduction of_costs(const CostMatrix<T>& cost, ThreadPool& pool);

  /// Calls work(lane, workspace) for every lane.
  void for_each_lane(const std::function<void(std::int64_t, Workspace&)>& work) const;

  /// @param[out] parts [count].
  RowOperand<T> rows(std::int64_t first_row, std::int64_t count, Workspace::Frame& frame,
                     double* parts) const {
    return cost_.rows(first_row, count, epsilon_, frame, parts);
  }
  /// @param count     at most kMaxBlockRows.
  /// @param[out] tile [count, M]: C_ij.
  void make_costs(std::int64_t first_row, std::int64_t count, Workspace& workspace, T* tile) const;

  std::int64_t num_rows() const { return cost_.num_rows(); }
  std::int64_t num_columns() const { return cost_.num_columns(); }
  double epsilon() const { return epsilon_; }
  /// Added to all biases, natural logarithm.
  double bias_shift() const { return bias_shift_; }
  const RowCut& cut() const { return cut_; }
  const VectorKernels<T>& kernels() const { return kernels_; }
  const ColumnPanels<T>& columns() const { return columns_; }
  Workspace::Frame& frame() { return frame_; }

 private:
  void prepare_columns(const Reduction<T>& reduction);

  const CostMatrix<T>& cost_;
  ThreadPool& pool_;
  double epsilon_;
  RowCut cut_;
  const VectorKernels<T>& kernels_;
  Workspace::Frame frame_;
  ColumnPanels<T> columns_;
  const double* column_parts_ = nullptr;  ///< [M] of the cost
  double bias_shift_ = 0;
};

/// How a block's exponentials lie in memory: not at all, a panel after the other (they are then
/// read in the order in which they were written), or in rows.
enum class TileLayout { none, panels, rows };

/// The rows of a lane, one block at a time, with their softmax
///   S_ij = e_ij / sum_i,  sum_i = sum_j e_ij.
template <class T>
class SoftmaxBlock {
 public:
  SoftmaxBlock(const PreparedReduction<T>& pass, TileLayout layout, Workspace& workspace);

  /// @param[out] f [count] soft minima; +inf where the sum is 0.
  void make(std::int64_t first_row, std::int64_t count, double* f);

  /// sum_i of the block's row r, to the row's last reference.
  double sum(std::int64_t r) const { return block_.sums[r]; }
  const RowBlock<T>& block() const { return block_; }
  /// Row r to its last reference. Layout rows alone.
  T* row(std::int64_t r) const { return block_.tile + r * block_.row_stride; }
  std::int64_t row_stride() const { return block_.row_stride; }

 private:
  const PreparedReduction<T>& pass_;
  Workspace& workspace_;
  Workspace::Frame frame_;
  TileLayout layout_;
  RowBlock<T> block_;
  double* row_parts_;  ///< [R]
};

extern template class PreparedReduction<float>;
extern template class PreparedReduction<double>;
extern template class SoftmaxBlock<float>;
extern template class SoftmaxBlock<double>;

}  // namespace kantor::kernels
