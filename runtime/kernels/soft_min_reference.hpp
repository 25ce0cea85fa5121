#pragma once

// The oracle of soft_min.hpp: plain loops in double over a dense cost matrix.
// Shapes: N rows, M columns, D dimensions, K value columns.

#include <cstdint>
#include <span>
#include <vector>

#include "runtime/kernels/cost_matrix.hpp"
#include "runtime/kernels/soft_min.hpp"

namespace kantor::kernels::reference {

/// C_ij = c(x_i + shift, y_j + shift) by cost_between(). @return [N, M] row-major.
template <class T>
std::vector<double> dense_costs(const Cost& cost, Points<T> x, Points<T> y,
                                std::span<const double> shift = {});

/// As kernels::Reduction, with the cost matrix written out.
struct DenseReduction {
  std::span<const double> costs;  ///< [N, M] row-major
  std::span<const double> log_b;  ///< [M]
  std::span<const double> g;      ///< [M]
  double epsilon;

  std::size_t num_columns() const { return log_b.size(); }
  std::size_t num_rows() const { return log_b.empty() ? 0 : costs.size() / log_b.size(); }
};

/// The functions of kernels, with the same meaning of arguments and results.
std::vector<double> soft_min(const DenseReduction& reduction);
/// S [N, M], rows of 0 where f is +inf.
std::vector<double> softmax(const DenseReduction& reduction);
std::vector<double> averages(const DenseReduction& reduction, std::span<const double> values,
                             std::size_t num_values);
std::vector<double> column_weights(const DenseReduction& reduction,
                                   std::span<const double> row_weights);
std::vector<double> plan_column_weights(const DenseReduction& reduction, std::span<const double> f,
                                        std::span<const double> row_weights);
RoundedTotals rounded_plan_totals(const DenseReduction& reduction, std::span<const double> a,
                                  std::span<const double> column_scale,
                                  std::span<const double> column_missing, double total_missing,
                                  std::span<const double> prices = {});

}  // namespace kantor::kernels::reference
