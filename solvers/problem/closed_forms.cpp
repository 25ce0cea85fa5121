#include "solvers/problem/closed_forms.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "solvers/problem/gaussian.hpp"

namespace kantor {

namespace {

constexpr int kNodes = 60;
/// Below it the nodes no longer resolve a plan of width sqrt(epsilon / 2): 1e-4 off at 0.002.
constexpr double kSmallestEpsilon = 0.005;
using Vector = std::array<double, kNodes>;

struct Quadrature {
  Vector nodes;    ///< in [-1, 1]
  Vector weights;  ///< sum 1
};

/// Gauss-Legendre nodes by Newton's method on the Legendre polynomial.
Quadrature gauss_legendre() {
  Quadrature rule;
  for (int i = 0; i < kNodes; ++i) {
    double x = std::cos(std::numbers::pi * (i + 0.75) / (kNodes + 0.5));
    double derivative = 0;
    for (int iteration = 0; iteration < 20; ++iteration) {
      double previous = 1;
      double value = x;
      for (int k = 2; k <= kNodes; ++k) {
        const double next = ((2 * k - 1) * x * value - (k - 1) * previous) / k;
        previous = value;
        value = next;
      }
      derivative = kNodes * (x * value - previous) / (x * x - 1);
      x -= value / derivative;
    }
    rule.nodes[static_cast<std::size_t>(i)] = x;
    rule.weights[static_cast<std::size_t>(i)] = 1 / ((1 - x * x) * derivative * derivative);
  }
  return rule;
}

/// The c-transform of a potential on the nodes.
Vector c_transform(const Quadrature& rule, const Vector& potential, double epsilon) {
  Vector result;
  for (std::size_t i = 0; i < kNodes; ++i) {
    Vector exponents;
    for (std::size_t j = 0; j < kNodes; ++j) {
      const double difference = rule.nodes[i] - rule.nodes[j];
      exponents[j] = (potential[j] - difference * difference) / epsilon;
    }
    const double largest = *std::max_element(exponents.begin(), exponents.end());
    double sum = 0;
    for (std::size_t j = 0; j < kNodes; ++j) {
      sum += rule.weights[j] * std::exp(exponents[j] - largest);
    }
    result[i] = -epsilon * (largest + std::log(sum));
  }
  return result;
}

}  // namespace

double unit_interval_value(double epsilon) {
  const Quadrature rule = gauss_legendre();
  // Both sides are the same law: the averaged (symmetric) update halves the error at any epsilon.
  const double rounding = 1e-15 * (4 + epsilon);  // of a c-transform
  Vector f{};
  for (int iteration = 0; iteration < 100000; ++iteration) {
    const Vector transformed = c_transform(rule, f, epsilon);
    double change = 0;
    for (std::size_t i = 0; i < kNodes; ++i) {
      const double next = (f[i] + transformed[i]) / 2;
      change = std::max(change, std::abs(next - f[i]));
      f[i] = next;
    }
    if (change < rounding) break;
  }
  const Vector g = c_transform(rule, f, epsilon);
  double value = 0;
  for (std::size_t i = 0; i < kNodes; ++i) value += rule.weights[i] * (f[i] + g[i]);
  return value;
}

std::optional<Reference> closed_form(const ProblemConfig& config, double epsilon) {
  if (!penalty_of(config.terms).is_balanced()) return std::nullopt;
  if (config.cost == "cosine" || config.cost == "matrix") return std::nullopt;
  const auto& first = config.marginals[0];
  const auto& second = config.marginals[1];
  const kernels::CostKind cost = cost_kind(config.cost);
  if (!first.generator || !second.generator || !has_gaussian_form(cost)) return std::nullopt;
  if (first.scale != 1 || second.scale != 1 || !first.weights.empty() || !second.weights.empty()) {
    return std::nullopt;
  }
  const auto mu = data::gaussian_law(*first.generator);
  const auto nu = data::gaussian_law(*second.generator);
  if (mu && nu) return Reference{gaussian_value(*mu, *nu, cost, epsilon), "closed form, Gaussians"};

  const bool cubes =
      first.generator->name == "uniform_cube" && second.generator->name == "uniform_cube";
  if (cubes && cost == kernels::CostKind::sqeuclidean) {
    const double d = static_cast<double>(first.generator->d);
    if (d * epsilon < kSmallestEpsilon) return std::nullopt;
    return Reference{unit_interval_value(d * epsilon), "quadrature, uniform cubes"};
  }
  return std::nullopt;
}

}  // namespace kantor
