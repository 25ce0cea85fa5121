#include "runtime/kernels/absorbed_kernel.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "runtime/core/error.hpp"
#include "runtime/kernels/soft_min_pass.hpp"

// Shapes: N rows, M columns; R rows of a block.

namespace kantor::kernels {
namespace {
constexpr std::int64_t kLine = 64;
constexpr double kInfinity = std::numeric_limits<double>::infinity();
}  // namespace

template <class T>
void AbsorbedKernel<T>::absorb(const Reduction<T>& reduction, ThreadPool& pool) {
  const Pass<T> pass(reduction, pool);
  const std::int64_t stride =
      round_up(pass.num_columns(), kLine / static_cast<std::int64_t>(sizeof(T)));
  if (plan_.is_empty() || pass.num_rows() * stride != num_rows_ * stride_) {
    plan_ = {};  // never two of them
    plan_ = LargeArray<T>(pass.num_rows() * stride);
  }
  num_rows_ = pass.num_rows();
  num_columns_ = pass.num_columns();
  stride_ = stride;
  epsilon_ = reduction.epsilon;
  f_.resize(at(num_rows_));
  g_.assign(reduction.g.begin(), reduction.g.end());
  is_absent_.resize(g_.size());
  for (std::size_t j = 0; j < g_.size(); ++j) is_absent_[j] = reduction.log_b[j] == -kInfinity;
  pass.for_each_lane([&](std::int64_t lane, Workspace& workspace) {
    SoftmaxBlock<T> block(pass, TileLayout::rows, workspace);
    pass.cut().for_each_of_lane(lane, [&](std::int64_t first_row, std::int64_t count) {
      block.make(first_row, count, f_.data() + first_row);
      for (std::int64_t r = 0; r < count; ++r) {
        const T factor = static_cast<T>(block.sum(r) == 0 ? 0.0 : 1 / block.sum(r));
        const T* from = block.row(r);
        T* to = plan_.data() + (first_row + r) * stride_;
        for (std::int64_t j = 0; j < num_columns_; ++j) to[j] = factor * from[j];
        std::fill(to + num_columns_, to + stride_, T{0});
      }
    });
  });
}

template <class T>
bool AbsorbedKernel<T>::holds(std::span<const double> g) const {
  if (plan_.is_empty() || g.size() != g_.size()) return false;
  for (std::size_t j = 0; j < g.size(); ++j) {
    if (!is_absent_[j] && !(std::abs(g[j] - g_[j]) <= kMaxDrift * epsilon_)) return false;
  }
  return true;
}

template <class T>
void AbsorbedKernel<T>::weights(std::span<const double> g, std::span<const double> row_weights,
                                ThreadPool& pool, std::span<double> f,
                                std::span<double> column_weights) const {
  KANTOR_CHECK(holds(g), "absorbed kernel: potentials further than ", kMaxDrift,
               " epsilon from those absorbed (or not as many); absorb them first");
  check_size("f", f.size(), num_rows_);
  check_size("row_weights", row_weights.size(), num_rows_);
  check_size("column_weights", column_weights.size(), num_columns_);
  const auto& kernels = vector_kernels<T>();
  const RowCut cut = cut_rows(num_rows_, num_columns_, 0, sizeof(T));
  Workspace::Frame frame(pool.workspace());
  T* scale = frame.take<T>(stride_);  // exp((g - g0) / eps)
  double* lanes = frame.take<double>(cut.num_lanes * stride_);
  std::fill_n(scale, stride_, T{0});
  for (std::size_t j = 0; j < g.size(); ++j) {
    if (!is_absent_[j]) scale[j] = static_cast<T>(std::exp((g[j] - g_[j]) / epsilon_));
  }

  pool.for_each(cut.num_lanes, [&](std::int64_t lane, Workspace& workspace) {
    Workspace::Frame own(workspace);
    T* block_sums = own.take<T>(stride_);
    double* lane_sums = lanes + lane * stride_;
    std::fill_n(lane_sums, stride_, 0.0);
    T scales[kMaxBlockRows];
    cut.for_each_of_lane(lane, [&](std::int64_t first_row, std::int64_t count) {
      const T* rows = plan_.data() + first_row * stride_;
      for (std::int64_t r = 0; r < count; ++r) {  // brings the rows into the cache
        const double sum = kernels.dot(rows + r * stride_, scale, stride_);
        const std::size_t i = at(first_row + r);
        f[i] = sum == 0 ? kInfinity : f_[i] - epsilon_ * std::log(sum);
        scales[r] = static_cast<T>(sum == 0 ? 0.0 : row_weights[i] / sum);
      }
      kernels.sum_rows(rows, stride_, count, scales, stride_, block_sums);
      for (std::int64_t j = 0; j < stride_; ++j) lane_sums[j] += static_cast<double>(block_sums[j]);
    });
  });

  std::fill(column_weights.begin(), column_weights.end(), 0.0);
  for (std::int64_t lane = 0; lane < cut.num_lanes; ++lane) {
    const double* from = lanes + lane * stride_;
    for (std::size_t j = 0; j < g.size(); ++j) column_weights[j] += from[j];
  }
  for (std::size_t j = 0; j < g.size(); ++j) column_weights[j] *= static_cast<double>(scale[j]);
}

template class AbsorbedKernel<float>;
template class AbsorbedKernel<double>;

}  // namespace kantor::kernels
