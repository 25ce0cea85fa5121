#include "runtime/kernels/prepared_reduction.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "runtime/core/error.hpp"

namespace kantor::kernels {
namespace {
constexpr double kInfinity = std::numeric_limits<double>::infinity();
}

void check_size(const char* what, std::size_t size, std::int64_t expected) {
  if (size != at(expected)) {
    throw ShapeError(concat("soft-min reduction: ", what, " has ", size, " numbers, expected ",
                            expected, " by the shape of the cost matrix"));
  }
}

template <class T>
PreparedReduction<T>::PreparedReduction(const Reduction<T>& reduction, ThreadPool& pool)
    : cost_(reduction.cost),
      pool_(pool),
      epsilon_(reduction.epsilon),
      cut_(cut_rows(cost_.num_rows(), cost_.num_columns(), cost_.depth(), sizeof(T))),
      kernels_(vector_kernels<T>()),
      frame_(pool.workspace()) {
  check_size("log_b", reduction.log_b.size(), num_columns());
  check_size("g", reduction.g.size(), num_columns());
  KANTOR_CHECK(epsilon_ > 0 && std::isfinite(epsilon_), "soft-min reduction: epsilon = ", epsilon_,
               ", expected a finite number > 0");
  for (std::size_t j = 0; j < reduction.log_b.size(); ++j) {
    KANTOR_CHECK(reduction.log_b[j] < kInfinity, "soft-min reduction: log_b[", j,
                 "] = ", reduction.log_b[j], ", expected a number below inf");
  }
  prepare_columns(reduction);
}

template <class T>
PreparedReduction<T> PreparedReduction<T>::of_costs(const CostMatrix<T>& cost, ThreadPool& pool) {
  const std::vector<double> zeros(at(cost.num_columns()));
  return PreparedReduction({cost, zeros, zeros, std::numbers::log2e},
                           pool);  // products as they are
}

/// bias_j = log_b_j + (g_j - column part of C) / eps, less bias_shift, the largest of them, and to
/// base 2. The subtraction is made in double: large potentials cost a float tile no digits.
template <class T>
void PreparedReduction<T>::prepare_columns(const Reduction<T>& reduction) {
  columns_.num_columns = num_columns();
  columns_.width = kernels_.panel_width;
  columns_.num_panels = round_up(num_columns(), columns_.width) / columns_.width;
  columns_.scale = std::numbers::log2e / epsilon_;
  T* bias = frame_.template take<T>(columns_.padded());
  T* points = frame_.template take<T>(columns_.padded() * cost_.depth());
  double* parts = frame_.template take<double>(num_columns());
  double* exact = frame_.template take<double>(num_columns());
  column_parts_ = parts;
  columns_.bias = bias;
  columns_.points = points;

  constexpr std::int64_t panels_at_once = 8;
  const std::int64_t columns_at_once = panels_at_once * columns_.width;
  pool_.for_each(
      round_up(columns_.num_panels, panels_at_once) / panels_at_once, [&](std::int64_t item) {
        const std::int64_t first = item * columns_at_once;
        const std::int64_t count = std::min(columns_at_once, num_columns() - first);
        cost_.prepare_columns(first, count, parts + first, points + first * cost_.depth());
      });

  double largest = -kInfinity;
  for (std::int64_t j = 0; j < num_columns(); ++j) {
    const double log_b = reduction.log_b[at(j)];
    // An absent point is absent whatever its potential is.
    exact[j] = log_b == -kInfinity ? log_b : log_b + (reduction.g[at(j)] - parts[j]) / epsilon_;
    largest = std::max(largest, exact[j]);
  }
  bias_shift_ = std::isfinite(largest) ? largest : 0;
  for (std::int64_t j = 0; j < num_columns(); ++j) {
    bias[j] = static_cast<T>(std::numbers::log2e * (exact[j] - bias_shift_));
  }
  std::fill(bias + num_columns(), bias + columns_.padded(), -std::numeric_limits<T>::infinity());
}

template <class T>
void PreparedReduction<T>::make_costs(std::int64_t first_row, std::int64_t count,
                                      Workspace& workspace, T* tile) const {
  if (num_columns() == 0) return;
  if (cost_.depth() == 0) return cost_.costs(first_row, count, tile);
  Workspace::Frame frame(workspace);
  double row_parts[kMaxBlockRows];
  const RowOperand<T> operand = rows(first_row, count, frame, row_parts);
  kernels_.costs(operand, columns_, count, row_parts, column_parts_, cost_.least(), num_columns(),
                 tile);
}

template <class T>
void PreparedReduction<T>::for_each_lane(
    const std::function<void(std::int64_t, Workspace&)>& work) const {
  if (cut_.num_lanes > 0) pool_.for_each(cut_.num_lanes, work);
}

template <class T>
SoftmaxBlock<T>::SoftmaxBlock(const PreparedReduction<T>& pass, TileLayout layout,
                              Workspace& workspace)
    : pass_(pass), workspace_(workspace), frame_(workspace), layout_(layout) {
  const std::int64_t rows = round_up(pass.cut().rows_per_block, kRowGroup);
  const ColumnPanels<T>& columns = pass.columns();
  row_parts_ = frame_.take<double>(rows);
  block_.sums = frame_.take<double>(rows);
  block_.references = frame_.take<double>(rows);
  if (layout == TileLayout::none) return;
  block_.tile =
      frame_.template take<T>(round_up(pass.cut().rows_per_block, kTileRows) * columns.padded());
  block_.panel_references = frame_.template take<T>(rows * columns.num_panels);
}

template <class T>
void SoftmaxBlock<T>::make(std::int64_t first_row, std::int64_t count, double* f) {
  const ColumnPanels<T>& columns = pass_.columns();
  block_.count = count;
  block_.row_stride = layout_ == TileLayout::rows ? columns.padded() : columns.width;
  block_.panel_stride =
      layout_ == TileLayout::rows ? columns.width : round_up(count, kTileRows) * columns.width;
  Workspace::Frame frame(workspace_);
  const RowOperand<T> operand = pass_.rows(first_row, count, frame, row_parts_);
  pass_.kernels().exponentials(operand, columns, block_);
  if (layout_ == TileLayout::rows) pass_.kernels().use_last_references(block_, columns);
  for (std::int64_t r = 0; r < count; ++r) {
    const double log_sum = block_.references[r] + std::log2(block_.sums[r]);
    f[r] =
        block_.sums[r] == 0
            ? kInfinity
            : row_parts_[r] - pass_.epsilon() * (std::numbers::ln2 * log_sum + pass_.bias_shift());
  }
}

template class PreparedReduction<float>;
template class PreparedReduction<double>;
template class SoftmaxBlock<float>;
template class SoftmaxBlock<double>;

}  // namespace kantor::kernels
