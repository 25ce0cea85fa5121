#include "solvers/evaluate.hpp"

#include <torch/torch.h>

#include <cmath>

#include "distributed/shards.hpp"
#include "runtime/core/error.hpp"
#include "runtime/kernels/soft_min.hpp"
#include "solvers/neural/potential.hpp"

namespace kantor {

namespace {

using kernels::CostKind;

std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }

/// The network's potential at points, in double. @param points [K, D].
std::vector<double> network_potential(const Problem& problem, const StoredRun& run,
                                      std::span<const double> points) {
  const neural::Potential potential = neural::Potential::restore(run.model_json, run.model);
  const std::int64_t d = problem.d();
  if (potential.d() != d) {
    throw DataError(concat("the stored network takes points of dimension ", potential.d(),
                           ", but the run's marginals have dimension ", d));
  }
  const torch::NoGradGuard no_grad;
  const at::Tensor x =
      torch::from_blob(const_cast<double*>(points.data()),
                       {static_cast<std::int64_t>(points.size()) / d, d}, torch::kFloat64);
  const at::Tensor f = potential.forward(x).contiguous();
  return {f.data_ptr<double>(), f.data_ptr<double>() + f.numel()};
}

/// @throws DataError.
void check_shapes(const Problem& problem, const StoredRun& run, int marginal,
                  std::span<const double> points) {
  if (marginal != 0 && marginal != 1) {
    throw DataError(concat("there is no marginal ", marginal, "; expected 0 or 1"));
  }
  if (points.size() % index(problem.d()) != 0) {
    throw DataError(concat(points.size(), " numbers are no points of dimension ", problem.d()));
  }
  for (std::size_t k = 0; k < 2; ++k) {
    if (run.potentials.size() != 2 ||
        static_cast<std::int64_t>(run.potentials[k].size()) != problem.n(k)) {
      throw DataError(concat("the stored potential of marginal ", k, " does not have the ",
                             problem.n(k), " points of ", problem.marginals[k].name()));
    }
  }
}

/// grad h(v) = sign(v) |v|^(q - 1), coordinatewise; with the conjugate exponent its inverse.
double power_gradient(double v, double q) { return std::copysign(std::pow(std::abs(v), q - 1), v); }

/// What a point moves to, from the plan's averages over the other marginal.
/// pnorm: x - grad h*( sum_j w_j grad h(x - y_j) ), one point at a time; the others: sum_j w_j y_j.
std::vector<double> pnorm_map(std::span<const double> x, std::span<const double> other,
                              std::int64_t d, std::span<const double> weights, double p) {
  std::vector<double> gradient(index(d), 0.0);
  for (std::size_t j = 0; j < weights.size(); ++j) {
    if (weights[j] == 0) continue;
    for (std::int64_t k = 0; k < d; ++k) {
      gradient[index(k)] +=
          weights[j] * power_gradient(x[index(k)] - other[j * index(d) + index(k)], p);
    }
  }
  std::vector<double> target(x.begin(), x.end());
  for (std::int64_t k = 0; k < d; ++k)
    target[index(k)] -= power_gradient(gradient[index(k)], p / (p - 1));
  return target;
}

}  // namespace

Evaluation evaluate_at(const Problem& problem, const StoredRun& run, int marginal,
                       std::span<const double> points, Context& context) {
  check_shapes(problem, run, marginal, points);
  const std::int64_t d = problem.d();
  const std::size_t other = marginal == 0 ? 1 : 0;
  const data::Marginal& target = problem.marginals[other];
  const std::int64_t m = target.n();
  const auto num_points = static_cast<std::int64_t>(points.size()) / d;

  std::vector<double> x(points.begin(), points.end());  // centred
  for (std::size_t i = 0; i < x.size(); ++i) x[i] -= problem.centre[i % index(d)];
  std::vector<double> y(index(m * d));  // centred
  target.read_range<double>(0, m, problem.centre, y.data());
  std::vector<double> log_b;
  for (const double weight : target.weights()) log_b.push_back(std::log(weight));

  const auto cost = kernels::streamed_cost<double>(problem.cost, {x.data(), num_points, d},
                                                   {y.data(), m, d}, problem.centre);
  const kernels::Reduction<double> reduction{*cost, log_b, run.potentials[other], problem.epsilon};
  Evaluation result;
  result.potential.resize(index(num_points));
  const bool has_mean_map =
      problem.cost.kind != CostKind::euclidean && problem.cost.kind != CostKind::pnorm;
  if (has_mean_map) {
    result.map.resize(x.size());
    kernels::soft_min_averages<double>(reduction, y, d, context.pool, result.potential, result.map);
    for (std::size_t i = 0; i < result.map.size(); ++i)
      result.map[i] += problem.centre[i % index(d)];
  } else {
    kernels::soft_min<double>(reduction, context.pool, result.potential);
  }
  if (problem.cost.kind == CostKind::pnorm) {
    std::vector<double> costs(index(m));
    std::vector<double> weights(index(m));
    for (std::int64_t i = 0; i < num_points; ++i) {
      cost->costs(i, 1, costs.data());
      for (std::size_t j = 0; j < weights.size(); ++j) {
        weights[j] =
            std::exp(log_b[j] + (run.potentials[other][j] - costs[j] + result.potential[index(i)]) /
                                    problem.epsilon);
      }
      const auto point = std::span<const double>(x).subspan(index(i * d), index(d));
      const std::vector<double> moved = pnorm_map(point, y, d, weights, problem.cost.p);
      for (std::int64_t k = 0; k < d; ++k) {
        result.map.push_back(moved[index(k)] + problem.centre[index(k)]);
      }
    }
  }
  const double rho = marginal == 0 ? problem.rho.x : problem.rho.y;
  for (double& value : result.potential) value *= damping(rho, problem.epsilon);
  if (marginal == 0 && !run.model_json.empty())
    result.potential = network_potential(problem, run, points);
  return result;
}

}  // namespace kantor
