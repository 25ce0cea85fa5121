// The c-transforms of a rank's part, on the host or on a GPU.

#include <algorithm>
#include <cmath>
#include <limits>

#include "solvers/problem/sharded_eot.hpp"

namespace kantor {

template <class T>
void ShardedEot<T>::transform_to_x(std::span<const double> g, std::span<double> f) const {
  if (f.empty()) return;
  if (device_) {
    device_->over_y(g, epsilon_, f);
  } else {
    kernels::soft_min<T>(over_y(g), context_.pool, f);
  }
}

template <class T>
void ShardedEot<T>::transform_to_x(std::span<const double> g, double epsilon,
                                   std::span<const kernels::UpdatedColumns> wanted,
                                   std::span<double> f) const {
  if (f.empty()) {
    for (const kernels::UpdatedColumns& each : wanted) {
      std::fill(each.column_weights.begin(), each.column_weights.end(), 0.0);
    }
  } else if (device_) {
    device_->over_y(g, epsilon, wanted, f);
  } else {
    kernels::soft_min_weights<T>(over_y(g, epsilon), a_, wanted, context_.pool, f);
  }
}

template <class T>
void ShardedEot<T>::transform_to_x(std::span<const double> g, std::span<double> f,
                                   std::span<double> averages) const {
  if (f.empty()) return;
  if (device_) {
    device_->averages_of_y(g, epsilon_, f, averages);
  } else {
    kernels::soft_min_averages<T>(over_y(g), y_, d_, context_.pool, f, averages);
  }
}

template <class T>
void ShardedEot<T>::plan_columns(std::span<const double> f, std::span<const double> g,
                                 std::span<double> columns) const {
  if (f.empty()) {
    std::fill(columns.begin(), columns.end(), 0.0);
  } else if (device_) {
    device_->plan_columns(f, g, epsilon_, columns);
  } else {
    kernels::plan_column_weights<T>(over_y(g), f, a_, context_.pool, columns);
  }
}

template <class T>
void ShardedEot<T>::transform_to_y(std::span<const double> f, std::span<const T> values,
                                   std::int64_t num_values, std::span<double> g,
                                   std::span<double> averages, double epsilon) const {
  const auto k = static_cast<std::size_t>(num_values);
  if (rows_.count() > 0 && device_) {
    device_->over_x(f, epsilon, values, num_values, g, averages);
  } else if (rows_.count() > 0) {
    const kernels::Reduction<T> reduction{*transposed_, log_a_, f, epsilon};
    if (k == 0) {
      kernels::soft_min<T>(reduction, context_.pool, g);
    } else {
      kernels::soft_min_averages<T>(reduction, values, num_values, context_.pool, g, averages);
    }
  } else {
    std::fill(g.begin(), g.end(), std::numeric_limits<double>::infinity());
    std::fill(averages.begin(), averages.end(), 0.0);
  }
  // -g_r / eps is the log-sum of rank r; combine with the largest as shift.
  std::vector<double> largest(g.begin(), g.end());
  for (double& value : largest) value = -value / epsilon;
  context_.world.all_reduce<double>(largest, ReduceOp::max, "largest exponents");
  std::vector<double> sums(g.size() + averages.size());  // [M], then [M, K]
  for (std::size_t j = 0; j < g.size(); ++j) {
    sums[j] = std::exp(-g[j] / epsilon - largest[j]);
    for (std::size_t v = 0; v < k; ++v) {
      sums[g.size() + j * k + v] = sums[j] * averages[j * k + v];
    }
  }
  context_.world.all_reduce<double>(sums, ReduceOp::sum, "sums of exponentials");
  for (std::size_t j = 0; j < g.size(); ++j) {
    g[j] = -epsilon * (largest[j] + std::log(sums[j]));
    for (std::size_t v = 0; v < k; ++v) averages[j * k + v] = sums[g.size() + j * k + v] / sums[j];
  }
}

// The class itself is instantiated where its constructor is.
#define KANTOR_TRANSFORMS(T)                                                                      \
  template void ShardedEot<T>::transform_to_x(std::span<const double>, std::span<double>) const;  \
  template void ShardedEot<T>::transform_to_x(std::span<const double>, double,                    \
                                              std::span<const kernels::UpdatedColumns>,           \
                                              std::span<double>) const;                           \
  template void ShardedEot<T>::transform_to_x(std::span<const double>, std::span<double>,         \
                                              std::span<double>) const;                           \
  template void ShardedEot<T>::plan_columns(std::span<const double>, std::span<const double>,     \
                                            std::span<double>) const;                             \
  template void ShardedEot<T>::transform_to_y(std::span<const double>, std::span<const T>,        \
                                              std::int64_t, std::span<double>, std::span<double>, \
                                              double) const;
KANTOR_TRANSFORMS(float)
KANTOR_TRANSFORMS(double)
#undef KANTOR_TRANSFORMS

}  // namespace kantor
