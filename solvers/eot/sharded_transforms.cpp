// The c-transforms of a rank's part, on the host or on a GPU.

#include <algorithm>
#include <cmath>
#include <limits>

#include "solvers/eot/sharded_pairs.hpp"

namespace kantor {

namespace {

void add(std::span<const double> part, std::span<double> sums) {
  for (std::size_t j = 0; j < sums.size(); ++j) sums[j] += part[j];
}

}  // namespace

template <class T>
void ShardedPairs<T>::transform_to_x(std::span<const double> g, std::span<double> f) const {
  if (device_) {
    if (!f.empty()) device_->over_y(g, epsilon_, f);
    return;
  }
  for_each_part([&](const RowPart& part, const kernels::CostMatrix<T>& cost) {
    kernels::soft_min<T>({cost, log_b_, g, epsilon_}, context_.pool, part.of(f));
  });
}

template <class T>
void ShardedPairs<T>::transform_to_x(std::span<const double> g, double epsilon,
                                     std::span<const kernels::UpdatedColumns> wanted,
                                     std::span<double> f) const {
  for (const kernels::UpdatedColumns& each : wanted) {
    std::fill(each.column_weights.begin(), each.column_weights.end(), 0.0);
  }
  if (device_) {
    if (!f.empty()) device_->over_y(g, epsilon, wanted, f);
    return;
  }
  const std::span<const double> a(a_);
  std::vector<double> sums;  // of a part, one after the other
  for_each_part([&](const RowPart& part, const kernels::CostMatrix<T>& cost) {
    const kernels::Reduction<T> reduction{cost, log_b_, g, epsilon};
    if (part.is_whole) {
      return kernels::soft_min_weights<T>(reduction, a, wanted, context_.pool, f);
    }
    sums.resize(wanted.size() * g.size());
    std::vector<kernels::UpdatedColumns> of_part;
    for (const kernels::UpdatedColumns& each : wanted) {
      of_part.push_back({{part.of(each.update.kept), each.update.gain},
                         std::span(sums).subspan(of_part.size() * g.size(), g.size())});
    }
    kernels::soft_min_weights<T>(reduction, part.of(a), of_part, context_.pool, part.of(f));
    for (std::size_t k = 0; k < wanted.size(); ++k) {
      add(of_part[k].column_weights, wanted[k].column_weights);
    }
  });
}

template <class T>
void ShardedPairs<T>::transform_to_x(std::span<const double> g, std::span<double> f,
                                     std::span<double> averages) const {
  if (device_) {
    if (!f.empty()) device_->averages_of_y(g, epsilon_, f, averages);
    return;
  }
  for_each_part([&](const RowPart& part, const kernels::CostMatrix<T>& cost) {
    kernels::soft_min_averages<T>({cost, log_b_, g, epsilon_}, y_, d_, context_.pool, part.of(f),
                                  part.of(averages, d_));
  });
}

template <class T>
void ShardedPairs<T>::plan_columns(std::span<const double> f, std::span<const double> g,
                                   std::span<double> columns) const {
  std::fill(columns.begin(), columns.end(), 0.0);
  if (device_) {
    if (!f.empty()) device_->plan_columns(f, g, epsilon_, columns);
    return;
  }
  std::vector<double> sums(columns.size());
  for_each_part([&](const RowPart& part, const kernels::CostMatrix<T>& cost) {
    kernels::plan_column_weights<T>({cost, log_b_, g, epsilon_}, part.of(f),
                                    part.of(std::span<const double>(a_)), context_.pool, sums);
    add(sums, columns);
  });
}

template <class T>
void ShardedPairs<T>::transform_to_y(std::span<const double> f, std::span<const T> values,
                                     std::int64_t num_values, std::span<double> g,
                                     std::span<double> averages, double epsilon) const {
  const auto k = static_cast<std::size_t>(num_values);
  std::fill(g.begin(), g.end(), std::numeric_limits<double>::infinity());  // of a rank without rows
  std::fill(averages.begin(), averages.end(), 0.0);
  if (rows_.count() > 0 && device_) {
    device_->over_x(f, epsilon, values, num_values, g, averages);
  } else if (!device_) {
    for_each_part(*transposed_, m(), rows_.slots,
                  [&](const RowPart& part, const kernels::CostMatrix<T>& cost) {
                    const kernels::Reduction<T> reduction{cost, log_a_, f, epsilon};
                    if (k == 0) {
                      kernels::soft_min<T>(reduction, context_.pool, part.of(g));
                    } else {
                      kernels::soft_min_averages<T>(reduction, values, num_values, context_.pool,
                                                    part.of(g), part.of(averages, num_values));
                    }
                  });
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
#define KANTOR_TRANSFORMS(T)                                                                       \
  template void ShardedPairs<T>::transform_to_x(std::span<const double>, std::span<double>) const; \
  template void ShardedPairs<T>::transform_to_x(std::span<const double>, double,                   \
                                                std::span<const kernels::UpdatedColumns>,          \
                                                std::span<double>) const;                          \
  template void ShardedPairs<T>::transform_to_x(std::span<const double>, std::span<double>,        \
                                                std::span<double>) const;                          \
  template void ShardedPairs<T>::plan_columns(std::span<const double>, std::span<const double>,    \
                                              std::span<double>) const;                            \
  template void ShardedPairs<T>::transform_to_y(std::span<const double>, std::span<const T>,       \
                                                std::int64_t, std::span<double>,                   \
                                                std::span<double>, double) const;
KANTOR_TRANSFORMS(float)
KANTOR_TRANSFORMS(double)
#undef KANTOR_TRANSFORMS

}  // namespace kantor
