#pragma once

// The pairs of one rank on a GPU: points and weights stay there, and what pairs cost where it is
// worth its memory; potentials come and go. Shapes: N_r rows x, M columns y, D dimensions, K value
// columns.

#include <memory>
#include <span>

#include "distributed/context.hpp"
#include "runtime/kernels/soft_min.hpp"

namespace kantor {

/// On the host. Points are minus `centre`.
template <class T>
struct RankPairs {
  kernels::Cost cost = {};
  std::span<const double> centre = {};            ///< [D]
  kernels::Points<T> x = {};                      ///< [N_r, D]
  kernels::Points<T> y = {};                      ///< [M, D]
  const kernels::SplitCosts<T>* costs = nullptr;  ///< [N_r, M] in place of cost and points, or null
  std::span<const double> a;                      ///< [N_r]
  std::span<const double> log_a;                  ///< [N_r]
  std::span<const double> log_b;                  ///< [M]
};

/// What runtime/kernels/soft_min.hpp does, for vectors on the host.
template <class T>
class DevicePairs {
 public:
  /// On the GPU of this rank (device_of()), by context.pair_reducer. @throws ConfigError.
  DevicePairs(const RankPairs<T>& pairs, Context& context);
  ~DevicePairs();
  DevicePairs(const DevicePairs&) = delete;
  DevicePairs& operator=(const DevicePairs&) = delete;

  /// Other points x, as many; what was kept of costs is not.
  void set_rows(const kernels::Points<T>& x);
  /// Keeps N_r M numbers there, from which costs are made to the same bits.
  /// @return false: it has no room for them.
  bool keep_costs();
  /// Whether reading them takes less time than making costs from the points.
  bool is_worth_keeping() const;
  /// Whether costs are in its memory, kept or given.
  bool keeps_costs() const;

  /// soft_min() over y. @param g [M]. @param[out] f [N_r].
  void over_y(std::span<const double> g, double epsilon, std::span<double> f) const;
  /// soft_min_weights() over y, rows weighted by a.
  void over_y(std::span<const double> g, double epsilon,
              std::span<const kernels::UpdatedColumns> wanted, std::span<double> f) const;
  /// soft_min_averages() of the points y. @param[out] averages [N_r, D].
  void averages_of_y(std::span<const double> g, double epsilon, std::span<double> f,
                     std::span<double> averages) const;
  /// plan_column_weights(), rows weighted by a.
  void plan_columns(std::span<const double> f, std::span<const double> g, double epsilon,
                    std::span<double> columns) const;
  /// soft_min_averages() over x, of this rank's rows. @param values [N_r, K]. @param[out] g [M].
  /// @param[out] averages [M, K].
  void over_x(std::span<const double> f, double epsilon, std::span<const T> values,
              std::int64_t num_values, std::span<double> g, std::span<double> averages) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace kantor
