#pragma once

// Small random reductions, their exact counterpart in double, and tolerances derived from the type.
// Shapes: N rows, M columns, D dimensions, K = 3 value columns.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <random>
#include <span>
#include <vector>

#include "runtime/kernels/cost_matrix.hpp"
#include "runtime/kernels/soft_min.hpp"
#include "runtime/kernels/soft_min_reference.hpp"

namespace kantor::kernels::test {

struct Shape {
  std::int64_t n, m, d;
};

inline std::vector<double> uniform(std::int64_t count, double low, double high,
                                   std::uint64_t seed) {
  std::mt19937_64 engine(seed);
  std::vector<double> values(static_cast<std::size_t>(count));
  for (double& value : values) {
    value = low + (high - low) * static_cast<double>(engine() >> 11) * 0x1p-53;
  }
  return values;
}

/// Points in a cube around 0 of side 2 / sqrt(D), weights of which some are 0, potentials of the
/// size of the costs. T rounds the points first, so that the exact problem has the same ones.
template <class T>
struct RandomProblem {
  static constexpr std::int64_t kNumValues = 3;
  Shape shape;
  Cost cost;
  double epsilon;
  std::vector<T> x, y, values;
  std::vector<double> a, b, log_b, g;
  std::vector<double> costs;  ///< [N, M], exact

  RandomProblem(const Cost& c, Shape s, double eps = .25) : shape(s), cost(c), epsilon(eps) {
    const double side = 1 / std::sqrt(static_cast<double>(s.d));
    x = rounded(uniform(s.n * s.d, -side, side, 1));
    y = rounded(uniform(s.m * s.d, -side, side, 2));
    values = rounded(uniform(s.m * kNumValues, -1, 1, 3));
    g = uniform(s.m, -.5, .5, 4);
    a = weights(s.n, 5, 3);
    b = weights(s.m, 6, 5);
    set_log_weights();
    costs = reference::dense_costs<T>(cost, x_points(), y_points());
  }

  void set_log_weights() {
    log_b.clear();
    for (const double weight : b) log_b.push_back(std::log(weight));
  }
  /// All points of both sides in one place, without potentials: every cost is 0.
  void make_points_identical() {
    for (std::size_t k = 0; k < x.size(); ++k) {
      x[k] = y[k] = static_cast<T>(.3) * static_cast<T>(k % static_cast<std::size_t>(shape.d));
    }
    std::fill(g.begin(), g.end(), 0.0);
  }
  Points<T> x_points() const { return {x.data(), shape.n, shape.d}; }
  Points<T> y_points() const { return {y.data(), shape.m, shape.d}; }
  std::unique_ptr<CostMatrix<T>> streamed() const {
    return streamed_cost<T>(cost, x_points(), y_points());
  }
  Reduction<T> reduction(const CostMatrix<T>& matrix) const { return {matrix, log_b, g, epsilon}; }
  reference::DenseReduction exact() const { return {costs, log_b, g, epsilon}; }

  std::vector<double> exact_values() const { return {values.begin(), values.end()}; }

  /// Largest number of the cost's unit whose rounding enters a logit, times how often it does.
  double magnitude() const {
    double result = 0;
    for (const double value : g) result = std::max(result, std::abs(value));
    for (const double value : costs) result = std::max(result, std::abs(value));
    const auto largest_square = [&](const std::vector<T>& points) {
      double largest = 0;
      const auto d = static_cast<std::size_t>(shape.d);
      for (std::size_t i = 0; i + d <= points.size(); i += d) {
        double square = 0;
        for (std::size_t k = 0; k < d; ++k) square += points[i + k] * points[i + k];
        largest = std::max(largest, square);
      }
      return largest;
    };
    const double squares = largest_square(x) + largest_square(y);
    // A root loses 1 / sqrt(tau) with tau = 1e-2 (float) or 1e-3 (double): see EuclideanCost.
    result += cost.kind == CostKind::euclidean ? 32 * std::sqrt(squares) : squares;
    return result;
  }
  /// Bound on the error of an f_i: of the logits, and of a log-sum-exp of M terms.
  double f_tolerance() const {
    constexpr double roundings = 8;
    double log_weight = 0;
    for (const double value : log_b) {
      if (std::isfinite(value)) log_weight = std::max(log_weight, std::abs(value));
    }
    return roundings * std::numeric_limits<T>::epsilon() *
           (magnitude() + epsilon * (1 + log_weight + std::log(static_cast<double>(shape.m))));
  }
  /// Relative bound on an S_ij, and on positive sums of them by chunks.
  double plan_tolerance() const {
    constexpr double roundings = 64;
    return 2 * f_tolerance() / epsilon + roundings * std::numeric_limits<T>::epsilon();
  }

 private:
  static std::vector<T> rounded(const std::vector<double>& from) {
    return std::vector<T>(from.begin(), from.end());
  }
  /// Summing to 1, every `stride`-th 0 if there are as many.
  static std::vector<double> weights(std::int64_t count, std::uint64_t seed, std::size_t stride) {
    std::vector<double> result = uniform(count, .5, 1.5, seed);
    for (std::size_t i = stride - 1; i < result.size(); i += stride) result[i] = 0;
    double total = 0;
    for (const double value : result) total += value;
    for (double& value : result) value /= total;
    return result;
  }
};

/// What rounding asks for: y_j, eb_j, E from the column sums of a plan.
struct Rounding {
  std::vector<double> scale, missing;
  double total_missing = 0;
  Rounding(std::span<const double> columns, std::span<const double> b) {
    for (std::size_t j = 0; j < b.size(); ++j) {
      scale.push_back(columns[j] > 0 ? std::min(b[j] / columns[j], 1.0) : 1.0);
      missing.push_back(std::max(0.0, b[j] - scale[j] * columns[j]));
      total_missing += missing[j];
    }
  }
};

}  // namespace kantor::kernels::test
