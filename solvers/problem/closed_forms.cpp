#include "solvers/problem/closed_forms.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "runtime/kernels/blas.hpp"
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

/// The law that a marginal was drawn from, unweighted and unscaled.
std::optional<data::GaussianLaw> law_of(const data::MarginalConfig& marginal) {
  if (!marginal.generator || marginal.scale != 1 || !marginal.weights.empty()) return std::nullopt;
  return data::gaussian_law(*marginal.generator);
}

/// Ascending.
std::vector<double> eigenvalues(const data::GaussianLaw& law) {
  std::vector<double> matrix = law.covariance;
  std::vector<double> values(law.mean.size());
  kernels::symmetric_eigen(std::ssize(values), matrix, values);
  return values;
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
  const auto mu = law_of(first);
  const auto nu = law_of(second);
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

std::optional<Reference> closed_form_of_distortion(const ProblemConfig& config, double epsilon) {
  const auto* terms = std::get_if<EgwTerms>(&config.terms);
  if (config.cost != "inner_product" || terms == nullptr || terms->alpha != 1) return std::nullopt;
  const auto mu = law_of(config.marginals[0]);
  const auto nu = law_of(config.marginals[1]);
  const auto is_centred = [](const data::GaussianLaw& law) {
    return std::all_of(law.mean.begin(), law.mean.end(), [](double m) { return m == 0; });
  };
  if (!mu || !nu || !is_centred(*mu) || !is_centred(*nu)) return std::nullopt;
  const std::vector<double> x = eigenvalues(*mu);
  const std::vector<double> y = eigenvalues(*nu);
  double value = 0;
  for (const double each : x) value += each * each;
  for (const double each : y) value += each * each;
  for (std::size_t i = 1; i <= std::min(x.size(), y.size()); ++i) {  // the largest first
    const double ratio = std::max(4 * x[x.size() - i] * y[y.size() - i] / epsilon, 1.0);
    value -= epsilon / 2 * (ratio - 1 - std::log(ratio));
  }
  return Reference{value, "closed form, Gaussians"};
}

}  // namespace kantor
