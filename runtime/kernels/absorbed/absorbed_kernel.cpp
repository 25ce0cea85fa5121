#include "runtime/kernels/absorbed/absorbed_kernel.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "runtime/core/error.hpp"
#include "runtime/kernels/prepared_reduction.hpp"

// Shapes: N rows, M columns; R rows of a block.

namespace kantor::kernels {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// Sums of a row's plan are taken to its last reference.
template <class T>
double inverse_sum(const SoftmaxBlock<T>& block, std::int64_t r) {
  return block.sum(r) == 0 ? 0.0 : 1 / block.sum(r);
}

/// totals_j = sum over the lanes, in order. @param lanes [num_lanes, stride].
void add_lanes(const double* lanes, std::int64_t num_lanes, std::int64_t stride,
               std::span<double> totals) {
  std::fill(totals.begin(), totals.end(), 0.0);
  for (std::int64_t lane = 0; lane < num_lanes; ++lane) {
    const double* from = lanes + lane * stride;
    for (std::size_t j = 0; j < totals.size(); ++j) totals[j] += from[j];
  }
}

}  // namespace

template <class T>
AbsorbedKernel<T>::AbsorbedKernel(KernelFormat format) : format_(format) {
  KANTOR_CHECK(!is_coded() || sizeof(T) == sizeof(float),
               "absorbed kernel: only floats are stored in 16 bits");
}

template <class T>
void AbsorbedKernel<T>::absorb(const Reduction<T>& reduction, std::span<const double> row_weights,
                               ThreadPool& pool) {
  {
    PreparedReduction<T> pass(reduction, pool);
    check_size("row_weights", row_weights.size(), pass.num_rows());
    const std::size_t element = is_coded() ? sizeof(std::uint16_t) : sizeof(T);
    const std::int64_t stride = stored_stride(pass.num_columns(), element, format_);
    if ((numbers_.is_empty() && codes_.is_empty()) ||
        pass.num_rows() * stride != num_rows_ * stride_) {
      numbers_ = {};  // never two of them
      codes_ = {};
      if (is_coded()) codes_ = LargeArray<std::uint16_t>(pass.num_rows() * stride);
      if (!is_coded()) numbers_ = LargeArray<T>(pass.num_rows() * stride);
    }
    num_rows_ = pass.num_rows();
    num_columns_ = pass.num_columns();
    stride_ = stride;
    epsilon_ = reduction.epsilon;
    f_.resize(at(num_rows_));
    g_.assign(reduction.g.begin(), reduction.g.end());
    is_absent_.resize(g_.size());
    for (std::size_t j = 0; j < g_.size(); ++j) is_absent_[j] = reduction.log_b[j] == -kInfinity;
    is_coded() ? store_codes(pass, row_weights) : store_numbers(pass);
  }
  if (is_coded()) correct(row_weights, pool);
}

template <class T>
void AbsorbedKernel<T>::store_numbers(const PreparedReduction<T>& pass) {
  pass.for_each_lane([&](std::int64_t lane, Workspace& workspace) {
    SoftmaxBlock<T> block(pass, TileLayout::rows, workspace);
    pass.cut().for_each_of_lane(lane, [&](std::int64_t first_row, std::int64_t count) {
      block.make(first_row, count, f_.data() + first_row);
      for (std::int64_t r = 0; r < count; ++r) {
        const T factor = static_cast<T>(inverse_sum(block, r));
        const T* from = block.row(r);
        T* to = numbers_.data() + (first_row + r) * stride_;
        for (std::int64_t j = 0; j < num_columns_; ++j) to[j] = factor * from[j];
        std::fill(to + num_columns_, to + stride_, T{0});
      }
    });
  });
}

/// Also factors_: the column sums of the plan itself.
template <class T>
void AbsorbedKernel<T>::store_codes(PreparedReduction<T>& pass,
                                    std::span<const double> row_weights) {
  double* lanes = pass.frame().template take<double>(pass.cut().num_lanes * num_columns_);
  pass.for_each_lane([&](std::int64_t lane, Workspace& workspace) {
    SoftmaxBlock<T> block(pass, TileLayout::rows, workspace);
    Workspace::Frame own(workspace);
    T* block_sums = own.take<T>(num_columns_);
    double* lane_sums = lanes + lane * num_columns_;
    std::fill_n(lane_sums, num_columns_, 0.0);
    T scales[kMaxBlockRows];
    pass.cut().for_each_of_lane(lane, [&](std::int64_t first_row, std::int64_t count) {
      block.make(first_row, count, f_.data() + first_row);
      for (std::int64_t r = 0; r < count; ++r) {
        const T factor = static_cast<T>(inverse_sum(block, r));
        std::uint16_t* to = codes_.data() + (first_row + r) * stride_;
        pass.kernels().encode(block.row(r), factor, num_columns_, to);
        std::fill(to + num_columns_, to + stride_, std::uint16_t{0});
        scales[r] = static_cast<T>(row_weights[at(first_row + r)] * inverse_sum(block, r));
      }
      pass.kernels().sum_rows(block.row(0), block.row_stride(), count, scales, num_columns_,
                              block_sums);
      for (std::int64_t j = 0; j < num_columns_; ++j) {
        lane_sums[j] += static_cast<double>(block_sums[j]);
      }
    });
  });
  factors_.resize(at(num_columns_));
  add_lanes(lanes, pass.cut().num_lanes, num_columns_, factors_);
}

/// At g0 the codes give f0 and the column sums of the plan itself: by what they give without.
template <class T>
void AbsorbedKernel<T>::correct(std::span<const double> row_weights, ThreadPool& pool) {
  std::vector<double> columns(g_.size()), f(f_.size());
  columns.swap(factors_);  // now the exact ones
  factors_.assign(g_.size(), 1.0);
  std::vector<double> coded(g_.size());
  weights(g_, row_weights, pool, f, coded);
  for (std::size_t i = 0; i < f.size(); ++i) {
    if (std::isfinite(f[i])) f_[i] += f_[i] - f[i];
  }
  for (std::size_t j = 0; j < coded.size(); ++j) {
    if (coded[j] > 0) factors_[j] = columns[j] / coded[j];
  }
}

template <class T>
double AbsorbedKernel<T>::drift(std::span<const double> g, std::span<const double> masses) const {
  double mean = 0;
  for (std::size_t j = 0; j < g.size(); ++j) {
    if (masses[j] > 0) mean += masses[j] * (g[j] - g_[j]);
  }
  double deviation = 0;
  for (std::size_t j = 0; j < g.size(); ++j) {
    if (masses[j] > 0) deviation += masses[j] * std::abs(g[j] - g_[j] - mean);
  }
  return deviation / epsilon_;
}

template <class T>
bool AbsorbedKernel<T>::holds(std::span<const double> g) const {
  if (g_.empty() || g.size() != g_.size()) return false;
  for (std::size_t j = 0; j < g.size(); ++j) {
    if (!is_absent_[j] && !(std::abs(g[j] - g_[j]) <= kMaxDrift * epsilon_)) return false;
  }
  return true;
}

template <class T>
void AbsorbedKernel<T>::weights(std::span<const double> g, std::span<const double> row_weights,
                                const RowUpdate& update, ThreadPool& pool, std::span<double> f,
                                std::span<double> column_weights) const {
  KANTOR_CHECK(holds(g), "absorbed kernel: potentials further than ", kMaxDrift,
               " epsilon from those absorbed (or not as many); absorb them first");
  check_size("f", f.size(), num_rows_);
  check_size("row_weights", row_weights.size(), num_rows_);
  if (!update.kept.empty()) check_size("kept", update.kept.size(), num_rows_);
  check_size("column_weights", column_weights.size(), num_columns_);
  Workspace::Frame frame(pool.workspace());
  T* scale = frame.take<T>(stride_);  // exp((g - g0) / eps), of codes times their unit
  std::fill_n(scale, stride_, T{0});
  const double unit = is_coded() ? static_cast<double>(kCodeUnit) : 1;
  for (std::size_t j = 0; j < g.size(); ++j) {
    if (!is_absent_[j]) scale[j] = static_cast<T>(unit * std::exp((g[j] - g_[j]) / epsilon_));
  }
  sum_plan(scale, {row_weights, update, f}, pool, column_weights);
  for (std::size_t j = 0; j < g.size(); ++j) {
    column_weights[j] *= static_cast<double>(scale[j]) / unit * (is_coded() ? factors_[j] : 1.0);
  }
}

/// f_i, and the scale of row i in column sums. @param sum of the row's plan times the scale of g.
template <class T>
T AbsorbedKernel<T>::update_row(double sum, std::int64_t row, const Rows& rows) const {
  const std::size_t i = at(row);
  rows.f[i] = sum == 0 ? kInfinity : f_[i] - epsilon_ * std::log(sum);
  if (sum == 0 || rows.weights[i] == 0) return T{0};
  const double unit = is_coded() ? static_cast<double>(kCodeUnit) : 1;
  const double grown = rows.weights[i] * rows.update.growth(i, rows.f[i], epsilon_);
  return static_cast<T>(unit * grown / sum);
}

/// @param scale [stride]. @param[in,out] sums [stride]. @param[out] totals [stride], of these rows.
template <class T>
void AbsorbedKernel<T>::sum_numbers(std::int64_t first_row, std::int64_t count, const T* scale,
                                    const Rows& rows, T* sums, double* totals) const {
  const auto& kernels = vector_kernels<T>();
  const T* first = numbers_.data() + first_row * stride_;
  T scales[kMaxBlockRows];
  for (std::int64_t r = 0; r < count; ++r) {  // brings the rows into the cache
    const double sum = kernels.dot(first + r * stride_, scale, stride_);
    scales[r] = update_row(sum, first_row + r, rows);
  }
  kernels.sum_rows(first, stride_, count, scales, stride_, sums);
  for (std::int64_t j = 0; j < stride_; ++j) totals[j] += static_cast<double>(sums[j]);
}

/// The same. While some rows come from memory, those before are summed.
template <class T>
void AbsorbedKernel<T>::sum_codes(std::int64_t first_row, std::int64_t count, const T* scale,
                                  const Rows& rows, T* sums, double* totals) const {
  const auto& kernels = vector_kernels<T>();
  const std::uint16_t *next[kCodeRows], *before[kCodeRows];
  T scales[kCodeRows] = {};  // of the rows before
  double dots[kCodeRows];
  std::fill_n(sums, stride_, T{0});
  for (std::int64_t r = 0; r < count + kCodeRows; r += kCodeRows) {
    for (int k = 0; k < kCodeRows; ++k) {
      next[k] = codes_.data() + (first_row + std::min(r + k, count - 1)) * stride_;
      if (r == 0) before[k] = next[k];
    }
    const bool has_next = first_row + r + 2 * kCodeRows <= num_rows_;
    kernels.dot_and_add_codes(next, has_next ? kCodeRows * stride_ : 0, scale, dots, before, scales,
                              sums, stride_);
    for (int k = 0; k < kCodeRows; ++k) {
      before[k] = next[k];
      scales[k] = r + k < count ? update_row(dots[k], first_row + r + k, rows) : T{0};
    }
  }
  for (std::int64_t j = 0; j < stride_; ++j) totals[j] += static_cast<double>(sums[j]);
}

/// @param scale [stride]. @param[out] columns [M], to be multiplied by it.
template <class T>
void AbsorbedKernel<T>::sum_plan(const T* scale, const Rows& rows, ThreadPool& pool,
                                 std::span<double> columns) const {
  const RowCut cut =
      is_coded() ? cut_code_rows(num_rows_) : cut_rows(num_rows_, num_columns_, 0, sizeof(T));
  Workspace::Frame frame(pool.workspace());
  double* lanes = frame.take<double>(cut.num_lanes * stride_);
  pool.for_each(cut.num_lanes, [&](std::int64_t lane, Workspace& workspace) {
    Workspace::Frame own(workspace);
    T* sums = own.take<T>(stride_);
    double* totals = lanes + lane * stride_;
    std::fill_n(totals, stride_, 0.0);
    cut.for_each_of_lane(lane, [&](std::int64_t first_row, std::int64_t count) {
      is_coded() ? sum_codes(first_row, count, scale, rows, sums, totals)
                 : sum_numbers(first_row, count, scale, rows, sums, totals);
    });
  });
  add_lanes(lanes, cut.num_lanes, stride_, columns);
}

template class AbsorbedKernel<float>;
template class AbsorbedKernel<double>;

}  // namespace kantor::kernels
