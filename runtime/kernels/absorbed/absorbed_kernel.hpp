#pragma once

// Sinkhorn's kernel with potentials absorbed: an iteration reads it once, and takes no exponential.
// Shapes: N rows, M columns.

#include <cstdint>
#include <span>
#include <vector>

#include "runtime/core/large_array.hpp"
#include "runtime/kernels/absorbed/unit_code.hpp"
#include "runtime/kernels/soft_min.hpp"

namespace kantor::kernels {

template <class T>
class PreparedReduction;

/// The row-normalised plan of a reduction, S0_ij = b_j exp((g0_j - C_ij + f0_i) / eps), stored. For
/// potentials g near g0 the soft minimum and the column weights follow from it by multiplication:
///   u_i = sum_j S0_ij exp((g_j - g0_j) / eps),  f_i = f0_i - eps log u_i,
///   column_j = exp((g_j - g0_j) / eps) sum_i row_i / u_i S0_ij.
/// Entries below the smallest normal number are 0, as in a tile. With |g - g0| <= kMaxDrift eps
/// what they would have added to a row is below e^(2 kMaxDrift) times that: 1e-31 of it in float.
/// Source: Schmitzer 2019, section 3 (absorption).
///
/// In codes each entry is S0_ij (1 + d_ij), |d_ij| <= 2^-11, and 0 below 2^-62. Factors of the rows
/// and of the columns make both sums those of S0 at g0, so that what g gives is wrong only as far
/// as it has drifted: with s the spread of (g - g0) / eps over the columns, u_i by at most
/// 2^-10 (1 - e^-s) of it, and column_j by that and 2^-9 of what the scales of the rows have spread
/// since (row_i / u_i, times what an update moves), of it.
/// A column whose entries are all below 2^-62 is 0, and one of such for the most part is exact at
/// g0 alone.
template <class T>
class AbsorbedKernel {
 public:
  static constexpr double kMaxDrift = 8;

  /// @throws ValueError for codes of double.
  explicit AbsorbedKernel(KernelFormat format = KernelFormat::numbers);

  bool is_coded() const { return format_ == KernelFormat::codes; }

  /// [M] g0, empty before anything was absorbed.
  std::span<const double> potentials() const { return g_; }

  /// Stores the plan of g0 = reduction.g. Allocates N M numbers unless it holds them already.
  /// @param row_weights [N], those of weights(), for which the columns of codes are exact.
  /// @throws as soft_min_weights.
  void absorb(const Reduction<T>& reduction, std::span<const double> row_weights, ThreadPool& pool);

  /// Holds no potentials from here on, but keeps its memory.
  void forget() { g_.clear(); }

  /// Whether weights() may be called: something was absorbed, at potentials near these. NaN is not.
  /// @param g [M].
  bool holds(std::span<const double> g) const;

  /// How far g is from g0, but for a constant: the mean absolute deviation of (g - g0) / eps.
  /// @param g      [M], holds(g).
  /// @param masses [M] of the columns, summing to 1; those without do not count.
  double drift(std::span<const double> g, std::span<const double> masses) const;

  /// What soft_min_weights gives for the absorbed reduction with these potentials instead, to the
  /// rounding of T, or of codes. Results do not depend on the number of threads.
  /// @param g                   [M], holds(g).
  /// @param row_weights         [N], >= 0.
  /// @param[out] f              [N] soft minima, not yet updated.
  /// @param[out] column_weights [M] of the updated plan.
  /// @throws ShapeError, ValueError. Reads N M numbers once from memory.
  void weights(std::span<const double> g, std::span<const double> row_weights,
               const RowUpdate& update, ThreadPool& pool, std::span<double> f,
               std::span<double> column_weights) const;
  void weights(std::span<const double> g, std::span<const double> row_weights, ThreadPool& pool,
               std::span<double> f, std::span<double> column_weights) const {
    weights(g, row_weights, RowUpdate{}, pool, f, column_weights);
  }

 private:
  void store_numbers(const PreparedReduction<T>& pass);
  void store_codes(PreparedReduction<T>& pass, std::span<const double> row_weights);
  void correct(std::span<const double> row_weights, ThreadPool& pool);

  struct Rows {
    std::span<const double> weights;  ///< [N]
    const RowUpdate& update;
    std::span<double> f;  ///< out [N]
  };
  T update_row(double sum, std::int64_t row, const Rows& rows) const;
  void sum_numbers(std::int64_t first_row, std::int64_t count, const T* scale, const Rows& rows,
                   T* sums, double* totals) const;
  void sum_codes(std::int64_t first_row, std::int64_t count, const T* scale, const Rows& rows,
                 T* sums, double* totals) const;
  void sum_plan(const T* scale, const Rows& rows, ThreadPool& pool,
                std::span<double> columns) const;

  KernelFormat format_;
  std::int64_t num_rows_ = 0;
  std::int64_t num_columns_ = 0;
  std::int64_t stride_ = 0;
  double epsilon_ = 0;
  LargeArray<T> numbers_;            ///< [N, stride], zeros behind the last column
  LargeArray<std::uint16_t> codes_;  ///< or these
  std::vector<double> f_;            ///< [N] f0
  std::vector<double> g_;            ///< [M] g0
  std::vector<double> factors_;      ///< [M] of the column sums of codes
  std::vector<bool> is_absent_;      ///< [M] b_j = 0: its potential does not matter
};

}  // namespace kantor::kernels
