#pragma once

// Sinkhorn's kernel with potentials absorbed: an iteration reads it once, and takes no exponential.
// Shapes: N rows, M columns.

#include <cstdint>
#include <span>
#include <vector>

#include "runtime/core/large_array.hpp"
#include "runtime/kernels/soft_min.hpp"

namespace kantor::kernels {

/// The row-normalised plan of a reduction, S0_ij = b_j exp((g0_j - C_ij + f0_i) / eps), stored. For
/// potentials g near g0 the soft minimum and the column weights follow from it by multiplication:
///   u_i = sum_j S0_ij exp((g_j - g0_j) / eps),  f_i = f0_i - eps log u_i,
///   column_j = exp((g_j - g0_j) / eps) sum_i row_i / u_i S0_ij.
/// Entries below the smallest normal number are 0, as in a tile. With |g - g0| <= kMaxDrift eps
/// what they would have added to a row is below e^(2 kMaxDrift) times that: 1e-31 of it in float.
/// Source: Schmitzer 2019, section 3 (absorption).
template <class T>
class AbsorbedKernel {
 public:
  static constexpr double kMaxDrift = 8;

  /// [M] g0, empty before anything was absorbed.
  std::span<const double> potentials() const { return g_; }

  /// Stores the plan of g0 = reduction.g. Allocates N M numbers unless it holds them already.
  /// @throws as soft_min.
  void absorb(const Reduction<T>& reduction, ThreadPool& pool);

  /// Whether weights() may be called: something was absorbed, at potentials near these. NaN is not.
  /// @param g [M].
  bool holds(std::span<const double> g) const;

  /// What soft_min_weights gives for the absorbed reduction with these potentials instead, to the
  /// rounding of T. Results do not depend on the number of threads.
  /// @param g                   [M], holds(g).
  /// @param row_weights         [N], >= 0.
  /// @param[out] f              [N].
  /// @param[out] column_weights [M].
  /// @throws ShapeError, ValueError. Reads N M numbers once from memory.
  void weights(std::span<const double> g, std::span<const double> row_weights, ThreadPool& pool,
               std::span<double> f, std::span<double> column_weights) const;

 private:
  std::int64_t num_rows_ = 0;
  std::int64_t num_columns_ = 0;
  std::int64_t stride_ = 0;
  double epsilon_ = 0;
  LargeArray<T> plan_;           ///< [N, stride], zeros behind the last column
  std::vector<double> f_;        ///< [N] f0
  std::vector<double> g_;        ///< [M] g0
  std::vector<bool> is_absent_;  ///< [M] b_j = 0: its potential does not matter
};

}  // namespace kantor::kernels
