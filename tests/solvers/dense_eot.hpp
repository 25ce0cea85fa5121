#pragma once

// The oracle of the solvers: the formulas written out over dense matrices, in double.
// Shapes: N points x, M points y; matrices are [N, M] row-major.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <vector>

#include "tests/solvers/small_problem.hpp"

namespace kantor::test {

struct DenseEot {
  std::vector<double> a, b, costs;
  double epsilon;
  std::size_t n, m;

  struct Pair {
    std::vector<double> f, g;
  };
  struct Totals {
    double transport_cost = 0, kl = 0, objective = 0;
  };

  explicit DenseEot(const Problem& problem)
      : a(problem.clouds[0].marginal.weights()),
        b(problem.clouds[1].marginal.weights()),
        costs(costs_of(problem)),
        epsilon(problem.epsilon),
        n(a.size()),
        m(b.size()) {}

  /// -eps log sum_k exp(log weight_k + (potential_k - cost_k) / eps)
  double soft_min(std::span<const double> weights, std::span<const double> potential,
                  const auto& cost_of) const {
    double largest = -std::numeric_limits<double>::infinity();
    std::vector<double> exponents;
    for (std::size_t k = 0; k < weights.size(); ++k) {
      exponents.push_back(std::log(weights[k]) + (potential[k] - cost_of(k)) / epsilon);
      largest = std::max(largest, exponents.back());
    }
    double sum = 0;
    for (const double exponent : exponents) sum += std::exp(exponent - largest);
    return -epsilon * (largest + std::log(sum));
  }
  std::vector<double> to_x(std::span<const double> g) const {
    std::vector<double> f(n);
    for (std::size_t i = 0; i < n; ++i) {
      f[i] = soft_min(b, g, [&](std::size_t j) { return costs[i * m + j]; });
    }
    return f;
  }
  std::vector<double> to_y(std::span<const double> f) const {
    std::vector<double> g(m);
    for (std::size_t j = 0; j < m; ++j) {
      g[j] = soft_min(a, f, [&](std::size_t i) { return costs[i * m + j]; });
    }
    return g;
  }
  /// f, then g, from g = 0.
  Pair sinkhorn(int iterations) const {
    Pair pair{.f = {}, .g = std::vector<double>(m, 0.0)};
    for (int k = 0; k < iterations; ++k) {
      pair.f = to_x(pair.g);
      pair.g = to_y(pair.f);
    }
    return pair;
  }

  std::vector<double> plan(std::span<const double> f, std::span<const double> g) const {
    std::vector<double> p(n * m);
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t j = 0; j < m; ++j) {
        p[i * m + j] = a[i] * b[j] * std::exp((f[i] + g[j] - costs[i * m + j]) / epsilon);
      }
    }
    return p;
  }
  std::vector<double> rows(std::span<const double> p) const {
    std::vector<double> sums(n, 0.0);
    for (std::size_t k = 0; k < p.size(); ++k) sums[k / m] += p[k];
    return sums;
  }
  std::vector<double> columns(std::span<const double> p) const {
    std::vector<double> sums(m, 0.0);
    for (std::size_t k = 0; k < p.size(); ++k) sums[k % m] += p[k];
    return sums;
  }

  /// Altschuler, Weed & Rigollet 2017, algorithm 2, line by line.
  std::vector<double> rounded(std::vector<double> p) const {
    const std::vector<double> r = rows(p);
    for (std::size_t k = 0; k < p.size(); ++k) {
      if (r[k / m] > a[k / m]) p[k] *= a[k / m] / r[k / m];
    }
    const std::vector<double> c = columns(p);
    for (std::size_t k = 0; k < p.size(); ++k) {
      if (c[k % m] > b[k % m]) p[k] *= b[k % m] / c[k % m];
    }
    std::vector<double> missing_rows = rows(p);
    std::vector<double> missing_columns = columns(p);
    double total = 0;
    for (std::size_t i = 0; i < n; ++i) {
      missing_rows[i] = a[i] - missing_rows[i];
      total += missing_rows[i];
    }
    for (std::size_t j = 0; j < m; ++j) missing_columns[j] = b[j] - missing_columns[j];
    for (std::size_t k = 0; k < p.size() && total > 0; ++k) {
      p[k] += missing_rows[k / m] * missing_columns[k % m] / total;
    }
    return p;
  }
  Totals totals(std::span<const double> p) const {
    Totals result;
    for (std::size_t k = 0; k < p.size(); ++k) {
      if (p[k] <= 0) continue;
      result.transport_cost += p[k] * costs[k];
      result.kl += p[k] * std::log(p[k] / (a[k / m] * b[k % m]));
    }
    result.objective = result.transport_cost + epsilon * result.kl;
    return result;
  }

  double expectation_x(std::span<const double> f) const { return dot(a, f); }
  double expectation_y(std::span<const double> g) const { return dot(b, g); }
  double dual_value(std::span<const double> f, std::span<const double> g) const {
    double mass = 0;
    for (const double p : plan(f, g)) mass += p;
    return expectation_x(f) + expectation_y(g) - epsilon * (mass - 1);
  }
  double semi_dual(std::span<const double> f) const {
    return expectation_x(f) + expectation_y(to_y(f));
  }

  static double dot(std::span<const double> u, std::span<const double> v) {
    double sum = 0;
    for (std::size_t k = 0; k < u.size(); ++k) sum += u[k] * v[k];
    return sum;
  }
  static double l1(std::span<const double> u, std::span<const double> v) {
    double sum = 0;
    for (std::size_t k = 0; k < u.size(); ++k) sum += std::abs(u[k] - v[k]);
    return sum;
  }
};

}  // namespace kantor::test
