#pragma once

// The oracle of ProgOT: the recursion written out over dense matrices, in double, apart from all
// code of the solver. Shapes: N points x, M points y, D dimensions.

#include <functional>

#include "tests/solvers/dense_eot.hpp"

namespace kantor::test {

struct DenseProgot {
  std::vector<double> alphas, tolerances;
  /// Epsilon of a step's problem, as it is by then.
  std::function<double(std::size_t, const Problem&)> epsilon_of;
  bool is_warm = true;
  bool is_debiased = false;

  struct Step {
    Problem problem;  ///< with the moved cloud
    std::vector<double> f, g, f_self;
    std::int64_t iterations = 0;
  };

  /// grad h and, with the conjugate exponent, its inverse; the identity but for pnorm.
  static double gradient(double v, const Cost& cost, bool is_inverse) {
    if (cost.kind != CostKind::pnorm) return v;
    const double q = is_inverse ? cost.p / (cost.p - 1) : cost.p;
    return (v < 0 ? -1 : 1) * std::pow(std::abs(v), q - 1);
  }

  /// sum_j w_j(x) grad h(x - y_j), w_j in proportion to b_j exp((g_j - c(x, y_j)) / eps).
  static std::vector<double> mean_gradient(const Problem& problem, const data::Marginal& target,
                                           const std::vector<double>& g, double epsilon,
                                           std::span<const double> x) {
    const std::vector<double> y = points_of(target);
    std::vector<double> exponents;
    for (std::size_t j = 0; j < g.size(); ++j) {
      const double cost = kernels::cost_between(problem.cost.kernel, x,
                                                std::span(y).subspan(j * x.size(), x.size()));
      exponents.push_back(std::log(target.weight(static_cast<std::int64_t>(j))) +
                          (g[j] - cost) / epsilon);
    }
    const double largest = *std::max_element(exponents.begin(), exponents.end());
    std::vector<double> sum(x.size(), 0.0);
    double mass = 0;
    for (std::size_t j = 0; j < g.size(); ++j) {
      const double weight = std::exp(exponents[j] - largest);
      mass += weight;
      for (std::size_t k = 0; k < x.size(); ++k) {
        sum[k] += weight * gradient(x[k] - y[j * x.size() + k], problem.cost.kernel, false);
      }
    }
    for (double& value : sum) value /= mass;
    return sum;
  }

  /// x + alpha (T(x) - x) for each of the points.
  std::vector<double> moved(const Step& step, const std::vector<double>& points,
                            double alpha) const {
    const auto d = static_cast<std::size_t>(step.problem.d());
    std::vector<double> result = points;
    for (std::size_t i = 0; i < points.size(); i += d) {
      const auto x = std::span(points).subspan(i, d);
      std::vector<double> move = mean_gradient(step.problem, step.problem.clouds[1].marginal,
                                               step.g, step.problem.epsilon, x);
      if (is_debiased) {
        const std::vector<double> self = mean_gradient(
            step.problem, step.problem.clouds[0].marginal, step.f_self, step.problem.epsilon, x);
        for (std::size_t k = 0; k < d; ++k) move[k] -= self[k];
      }
      for (std::size_t k = 0; k < d; ++k) {
        result[i + k] -= alpha * gradient(move[k], step.problem.cost.kernel, true);
      }
    }
    return result;
  }

  static Problem with_points(const Problem& problem, const std::vector<double>& points,
                             double epsilon) {
    return make_problem(problem.cost.kernel, epsilon,
                        make_marginal(points, problem.d(), problem.clouds[0].marginal.weights()),
                        problem.clouds[1].marginal);
  }

  std::vector<Step> run(const Problem& problem) const {
    std::vector<Step> steps;
    std::vector<double> points = points_of(problem.clouds[0].marginal);
    std::vector<double> g(static_cast<std::size_t>(problem.n(1)), 0.0);
    for (std::size_t k = 0; k < alphas.size(); ++k) {
      Step step{.problem = with_points(problem, points, 1), .f = {}, .g = g, .f_self = {}};
      step.problem.epsilon = epsilon_of(k, step.problem);
      solve(step, tolerances[k]);
      if (is_debiased) step.f_self = self_potential(step.problem);
      points = moved(step, points, alphas[k]);
      g = is_warm ? step.g : std::vector<double>(g.size(), 0.0);
      const double scale =
          std::pow(1 - alphas[k],
                   problem.cost.kernel.kind == CostKind::pnorm ? problem.cost.kernel.p - 1 : 1);
      for (double& value : g) value *= scale;
      steps.push_back(std::move(step));
    }
    return steps;
  }

  static void solve(Step& step, double tolerance) {
    const DenseEot dense(step.problem);
    double error = 1;
    while (error > tolerance && step.iterations < 20000) {
      step.f = dense.to_x(step.g);
      step.g = dense.to_y(step.f);
      error = DenseEot::l1(dense.rows(dense.plan(step.f, step.g)), dense.a);
      ++step.iterations;
    }
    const double mean = dense.expectation_x(step.f);
    for (double& value : step.f) value -= mean;
    for (double& value : step.g) value += mean;
  }

  static std::vector<double> self_potential(const Problem& problem) {
    const DenseEot self(make_problem(problem.cost.kernel, problem.epsilon,
                                     problem.clouds[0].marginal, problem.clouds[0].marginal));
    std::vector<double> f(self.n, 0.0);
    for (int iteration = 0; iteration < 200; ++iteration) {
      const std::vector<double> next = self.to_x(f);
      for (std::size_t i = 0; i < f.size(); ++i) f[i] = (f[i] + next[i]) / 2;
    }
    return f;
  }

  /// Points of marginal 0 through all maps, the last one whole.
  std::vector<double> transport(const std::vector<Step>& steps, std::vector<double> points) const {
    for (std::size_t k = 0; k < steps.size(); ++k) {
      points = moved(steps[k], points, k + 1 == steps.size() ? 1 : alphas[k]);
    }
    return points;
  }
};

}  // namespace kantor::test
