#pragma once

// What every entry point of soft_min.hpp does with a panel. Private to this folder.
// Shapes: N rows, M columns; R rows of a panel.

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "runtime/core/thread_pool.hpp"
#include "runtime/kernels/panels.hpp"
#include "runtime/kernels/soft_min.hpp"
#include "runtime/kernels/vector_kernels.hpp"

namespace kantor::kernels {

inline std::size_t at(std::int64_t index) { return static_cast<std::size_t>(index); }

/// @throws ShapeError unless a vector of the reduction has the size that the cost matrix asks for.
void check_size(const char* what, std::size_t size, std::int64_t expected);

/// A checked reduction with its column bias, cut into panels.
template <class T>
class Pass {
 public:
  /// @throws ShapeError, ValueError.
  explicit Pass(const Reduction<T>& reduction);

  /// @param[out] tile [R, M]: logits. @param[out] row_shifts [R].
  void make_logits(std::int64_t first_row, std::int64_t count, T* tile, double* row_shifts) const;

  /// Turns one row of logits into S_ij sum_i, in place.
  /// @param[in,out] f in: the row's shift; out: the soft minimum.
  /// @return sum_i, 0 where f is +inf.
  double make_softmax(T* row, double& f) const;

  /// make_logits and make_softmax of a whole panel. @param[out] sums [R]. @param[out] f [R].
  void make_softmax_panel(std::int64_t first_row, std::int64_t count, T* tile, double* sums,
                          double* f) const;

  /// @param[out] tile [R, M]: C_ij.
  void make_costs(std::int64_t first_row, std::int64_t count, T* tile) const;

  /// Calls work(lane) for every lane.
  void for_each_lane(ThreadPool& pool, const std::function<void(std::int64_t)>& work) const;

  std::int64_t num_rows() const { return cost_.num_rows(); }
  std::int64_t num_columns() const { return cost_.num_columns(); }
  double epsilon() const { return epsilon_; }
  double bias_shift() const { return bias_shift_; }
  const Panels& panels() const { return panels_; }
  const VectorKernels<T>& kernels() const { return kernels_; }
  std::int64_t tile_size() const { return panels_.rows_per_panel * num_columns(); }

 private:
  bool is_absent(const T* row) const;

  const CostMatrix<T>& cost_;
  double epsilon_;
  Panels panels_;
  const VectorKernels<T>& kernels_;
  std::vector<T> bias_;  ///< [M]
  double bias_shift_ = 0;
};

extern template class Pass<float>;
extern template class Pass<double>;

}  // namespace kantor::kernels
