#pragma once

// How each streamed cost makes its tiles; chosen by streamed_cost().
// Shapes: N rows, M columns, D dimensions.

#include <cstdint>
#include <span>
#include <vector>

#include "runtime/kernels/cost_matrix.hpp"
#include "runtime/kernels/vector_kernels.hpp"

namespace kantor::kernels {

/// bias_j = log_b_j + (g_j - column_part_j) / eps, less the largest, which is returned. The
/// subtraction is made in double, so that large potentials cost a float tile no digits.
/// @param column_part [M], or empty for 0.
template <class T>
double shifted_bias(std::span<const double> log_b, std::span<const double> g,
                    std::span<const double> column_part, double epsilon, std::span<T> bias);

/// C_ij = alpha_i + beta_j - factor <x_i, y_j>: sqeuclidean, half_sqeuclidean, dot.
template <class T>
class FactoredCost final : public CostMatrix<T> {
 public:
  FactoredCost(CostKind kind, Points<T> x, Points<T> y, std::span<const double> shift);
  void logits(std::int64_t first_row, std::int64_t count, const T* bias, double epsilon, T* logits,
              double* row_shifts) const override;
  double column_bias(std::span<const double> log_b, std::span<const double> g, double epsilon,
                     std::span<T> bias) const override;
  void costs(std::int64_t first_row, std::int64_t count, T* tile) const override;

 private:
  Points<T> x_;
  Points<T> y_;
  double factor_;
  bool is_distance_;           ///< costs are >= 0
  std::vector<double> alpha_;  ///< [N]
  std::vector<double> beta_;   ///< [M]
};

/// C_ij = |x_i - y_j|: the root of the factored square where that is accurate, and of the summed
/// squares of the coordinate differences where the factored square has cancelled.
template <class T>
class EuclideanCost final : public CostMatrix<T> {
 public:
  EuclideanCost(Points<T> x, Points<T> y);
  void logits(std::int64_t first_row, std::int64_t count, const T* bias, double epsilon, T* logits,
              double* row_shifts) const override;
  double column_bias(std::span<const double> log_b, std::span<const double> g, double epsilon,
                     std::span<T> bias) const override;
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
  void logits(std::int64_t first_row, std::int64_t count, const T* bias, double epsilon, T* logits,
              double* row_shifts) const override;
  double column_bias(std::span<const double> log_b, std::span<const double> g, double epsilon,
                     std::span<T> bias) const override;
  void costs(std::int64_t first_row, std::int64_t count, T* tile) const override;

 private:
  T p_;
  Points<T> x_;
  std::vector<T> y_columns_;  ///< [D, M]: neighbours in j are neighbours in memory
};

}  // namespace kantor::kernels
