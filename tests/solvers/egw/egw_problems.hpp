#pragma once

// Small Gromov-Wasserstein problems with known answers. Shapes: n points, D dimensions.

#include <cmath>
#include <numbers>
#include <string>
#include <utility>
#include <vector>

#include "solvers/egw/sinkhorn_egw.hpp"
#include "tests/solvers/small_problem.hpp"

namespace kantor::test {

/// As load_problem() would leave it; on this rank alone.
inline Problem egw_problem(const std::string& distortion, double epsilon, data::Marginal x,
                           data::Marginal y, double alpha = 1,
                           std::vector<data::Marginal> shared = {}) {
  const auto alone = make_self_communicator();
  Problem problem;
  problem.kind = &kEgwKind;
  problem.cost = ground_cost(distortion, 2);
  problem.epsilon = epsilon;
  problem.clouds = {make_cloud(std::move(x)), make_cloud(std::move(y))};
  EgwTerms terms{.alpha = alpha};
  for (const Cloud& cloud : problem.clouds) terms.spaces.push_back(space_of(cloud, *alone));
  for (data::Marginal& each : shared) {
    terms.shared.push_back(space_of(make_cloud(std::move(each)), *alone));
  }
  problem.statistics.mean =
      distortion_named(distortion).mean(terms.spaces[0].moments, terms.spaces[1].moments);
  problem.terms = std::move(terms);
  return problem;
}

struct Nodes {
  std::vector<double> points, weights;
};

/// Gauss-Legendre on [-1, 1], weights summing to 1: Newton on the Legendre polynomials.
inline Nodes legendre_nodes(int n) {
  Nodes nodes;
  for (int i = 0; i < n; ++i) {
    double x = std::cos(std::numbers::pi * (i + .75) / (n + .5));
    double slope = 1;
    for (int turn = 0; turn < 100; ++turn) {
      double before = 1;
      double value = x;
      for (int k = 2; k <= n; ++k) {
        const double next = ((2 * k - 1) * x * value - (k - 1) * before) / k;
        before = value;
        value = next;
      }
      slope = n * (x * value - before) / (x * x - 1);
      const double move = value / slope;
      x -= move;
      if (std::abs(move) < 1e-16) break;
    }
    nodes.points.push_back(x);
    nodes.weights.push_back(1 / ((1 - x * x) * slope * slope));
  }
  return nodes;
}

/// Uniform on [-1/sqrt(D), 1/sqrt(D)]^D, D = 1 or 2.
inline data::Marginal uniform_cube(int nodes_a_side, std::int64_t d) {
  const Nodes axis = legendre_nodes(nodes_a_side);
  if (d == 1) return make_marginal(axis.points, 1, axis.weights);
  std::vector<double> points, weights;
  for (std::size_t i = 0; i < axis.points.size(); ++i) {
    for (std::size_t j = 0; j < axis.points.size(); ++j) {
      points.push_back(axis.points[i] / std::numbers::sqrt2);
      points.push_back(axis.points[j] / std::numbers::sqrt2);
      weights.push_back(axis.weights[i] * axis.weights[j]);
    }
  }
  return make_marginal(points, 2, weights);
}

/// The optimum between centred Gaussians under inner products: Le, Nguyen, Le & Ho 2022; the
/// eigenvalues sorted decreasing.
inline double gaussian_igw(const std::vector<double>& x, const std::vector<double>& y,
                           double epsilon) {
  double value = 0;
  for (const double each : x) value += each * each;
  for (const double each : y) value += each * each;
  for (std::size_t i = 0; i < std::min(x.size(), y.size()); ++i) {
    const double r = std::max(4 * x[i] * y[i] / epsilon, 1.0);
    value -= epsilon / 2 * (r - 1 - std::log(r));
  }
  return value;
}

}  // namespace kantor::test
