#include "runtime/kernels/soft_min_reference.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace kantor::kernels::reference {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// log b_j + (g_j - C_ij) / eps; -inf for an absent point whatever its potential is.
double logit(const DenseReduction& reduction, std::size_t i, std::size_t j) {
  if (reduction.log_b[j] == -kInfinity) return -kInfinity;
  const double cost = reduction.costs[i * reduction.num_columns() + j];
  return reduction.log_b[j] + (reduction.g[j] - cost) / reduction.epsilon;
}

struct Rows {
  std::vector<double> f;        // [N]
  std::vector<double> softmax;  // [N, M]
};

Rows reduce(const DenseReduction& reduction) {
  const std::size_t m = reduction.num_columns();
  Rows rows{std::vector<double>(reduction.num_rows(), kInfinity),
            std::vector<double>(reduction.num_rows() * m, 0.0)};
  for (std::size_t i = 0; i < reduction.num_rows(); ++i) {
    double* row = rows.softmax.data() + i * m;
    double largest = -kInfinity;
    for (std::size_t j = 0; j < m; ++j) largest = std::max(largest, logit(reduction, i, j));
    if (largest == -kInfinity) continue;
    double sum = 0;
    for (std::size_t j = 0; j < m; ++j) sum += row[j] = std::exp(logit(reduction, i, j) - largest);
    for (std::size_t j = 0; j < m; ++j) row[j] /= sum;
    rows.f[i] = -reduction.epsilon * (largest + std::log(sum));
  }
  return rows;
}

}  // namespace

template <class T>
std::vector<double> dense_costs(const Cost& cost, Points<T> x, Points<T> y,
                                std::span<const double> shift) {
  const auto d = static_cast<std::size_t>(x.d);
  const auto point = [&](const Points<T>& points, std::int64_t i) {
    std::vector<double> result(points.data + i * points.d, points.data + (i + 1) * points.d);
    for (std::size_t k = 0; k < shift.size() && k < d; ++k) result[k] += shift[k];
    return result;
  };
  std::vector<double> costs;
  for (std::int64_t i = 0; i < x.n; ++i) {
    const std::vector<double> x_i = point(x, i);
    for (std::int64_t j = 0; j < y.n; ++j) costs.push_back(cost_between(cost, x_i, point(y, j)));
  }
  return costs;
}

std::vector<double> soft_min(const DenseReduction& reduction) { return reduce(reduction).f; }

std::vector<double> softmax(const DenseReduction& reduction) { return reduce(reduction).softmax; }

std::vector<double> averages(const DenseReduction& reduction, std::span<const double> values,
                             std::size_t num_values) {
  const std::size_t m = reduction.num_columns();
  const std::vector<double> weights = softmax(reduction);
  std::vector<double> result(reduction.num_rows() * num_values, 0.0);
  for (std::size_t i = 0; i < reduction.num_rows(); ++i) {
    for (std::size_t j = 0; j < m; ++j) {
      for (std::size_t k = 0; k < num_values; ++k) {
        result[i * num_values + k] += weights[i * m + j] * values[j * num_values + k];
      }
    }
  }
  return result;
}

std::vector<double> column_weights(const DenseReduction& reduction,
                                   std::span<const double> row_weights) {
  const std::size_t m = reduction.num_columns();
  const std::vector<double> weights = softmax(reduction);
  std::vector<double> result(m, 0.0);
  for (std::size_t i = 0; i < reduction.num_rows(); ++i) {
    for (std::size_t j = 0; j < m; ++j) result[j] += row_weights[i] * weights[i * m + j];
  }
  return result;
}

std::vector<double> plan_column_weights(const DenseReduction& reduction, std::span<const double> f,
                                        std::span<const double> row_weights) {
  std::vector<double> result(reduction.num_columns(), 0.0);
  for (std::size_t i = 0; i < f.size(); ++i) {
    if (row_weights[i] == 0 || f[i] == kInfinity) continue;
    for (std::size_t j = 0; j < result.size(); ++j) {
      result[j] += row_weights[i] * std::exp(logit(reduction, i, j) + f[i] / reduction.epsilon);
    }
  }
  return result;
}

RoundedTotals rounded_plan_totals(const DenseReduction& reduction, std::span<const double> a,
                                  std::span<const double> column_scale,
                                  std::span<const double> column_missing, double total_missing,
                                  std::span<const double> prices) {
  const std::size_t m = reduction.num_columns();
  const std::vector<double> weights = softmax(reduction);
  RoundedTotals totals;
  for (std::size_t i = 0; i < reduction.num_rows(); ++i) {
    double kept = 0;
    double row_sum = 0;
    for (std::size_t j = 0; j < m; ++j) {
      row_sum += weights[i * m + j];
      kept += weights[i * m + j] * column_scale[j];
    }
    if (a[i] == 0 || row_sum == 0) continue;
    const double missing = std::max(0.0, a[i] * (1 - kept));
    totals.missing_mass += missing;
    for (std::size_t j = 0; j < m; ++j) {
      const double b = std::exp(reduction.log_b[j]);
      double p = a[i] * weights[i * m + j] * column_scale[j];
      if (total_missing > 0) p += missing * column_missing[j] / total_missing;
      if (b == 0 || p == 0) continue;
      totals.transport_cost += p * reduction.costs[i * m + j];
      if (!prices.empty()) totals.priced_cost += p * prices[i * m + j];
      totals.kl += p * std::log(p / (a[i] * b));
    }
  }
  return totals;
}

template std::vector<double> dense_costs(const Cost&, Points<float>, Points<float>,
                                         std::span<const double>);
template std::vector<double> dense_costs(const Cost&, Points<double>, Points<double>,
                                         std::span<const double>);

}  // namespace kantor::kernels::reference
