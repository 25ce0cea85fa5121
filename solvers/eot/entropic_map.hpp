#pragma once

// The entropic map of a cost c(x, y) = h(x - y):
//   T(x) = x - grad h*( sum_j w_j(x) grad h(x - y_j) ),  w_j(x) = b_j exp((g_j - c + f(x)) / eps).
// For sqeuclidean, half_sqeuclidean and dot it is sum_j w_j y_j; their grad h is taken as the
// identity here, since its scale cancels. Shapes: N points x, M points y, D dimensions.
// Source: Pooladian & Niles-Weed 2021; other costs: Kassraie et al. 2024 (ProgOT), section 2.

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "runtime/kernels/soft_min.hpp"
#include "solvers/eot/pair.hpp"
#include "solvers/problem/features.hpp"

namespace kantor {

/// v_i = sum_j w_j(x_i) grad h(x_i - y_j): one pass over the pairs.
/// @param x [N, D], the rows of the reduction's cost. @param y [M, D], what is averaged.
/// @param[out] f [N], the soft minimum.
/// @return [N, D]. @throws ValueError for a cost without a map, DataError for points so far away
/// that it is no number.
template <class T>
std::vector<double> mean_gradients(const kernels::Reduction<T>& reduction,
                                   const kernels::Cost& cost, kernels::Points<T> x,
                                   kernels::Points<T> y, ThreadPool& pool, std::span<double> f);

/// The same from the averages sum_j w_j(x_i) y_j, for a cost whose grad h is the identity.
/// @param averages [N, D].
template <class T>
std::vector<double> gradients_of_averages(kernels::Points<T> x, std::vector<double> averages);

/// grad h*(v), coordinate by coordinate, in place: x - T(x) from what mean_gradients() gives.
void to_displacements(const kernels::Cost& cost, std::span<double> v);

/// A marginal that new points are mapped to, whole on this rank. All points here are centred.
struct MapTarget {
  const Pair& pair;
  std::vector<double> points;       ///< [M, D]
  std::vector<double> log_weights;  ///< [M]

  MapTarget(const Pair& pair_, std::size_t marginal);

  kernels::Points<double> view(const std::vector<double>& x) const {
    return {x.data(), static_cast<std::int64_t>(x.size()) / pair.d(), pair.d()};
  }
  /// From x [N, D], which must outlive it, to the points.
  std::unique_ptr<kernels::CostMatrix<double>> cost_from(const std::vector<double>& x) const {
    return kernels::streamed_cost<double>(pair.cost.kernel, view(x), view(points), pair.centre);
  }
  /// mean_gradients() at x [N, D]. @param potential [M].
  /// @param averaged [M, D] what the weights average: the points, as a rule.
  /// @param[out] f   [N], resized.
  std::vector<double> gradients(const std::vector<double>& x, std::span<const double> potential,
                                double epsilon, const std::vector<double>& averaged,
                                ThreadPool& pool, std::vector<double>& f) const;
};

}  // namespace kantor
