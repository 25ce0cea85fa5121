#include "solvers/evaluate.hpp"

#include <torch/torch.h>

#include <cmath>

#include "distributed/shards.hpp"
#include "runtime/core/error.hpp"
#include "runtime/kernels/soft_min.hpp"
#include "solvers/neural/potential.hpp"
#include "solvers/problem/entropic_map.hpp"
#include "solvers/progot/progot_model.hpp"

namespace kantor {

namespace {

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

/// Through all maps of the run, or back through the last plan.
Evaluation evaluate_progot(const Problem& problem, const StoredRun& run, int marginal,
                           std::span<const double> points, Context& context) {
  const progot::Model model = progot::restore_model(run.model_json, run.model, problem);
  std::vector<double> at(points.begin(), points.end());
  if (marginal == 0) {
    auto [map, potential] = progot::transport(model, problem, std::move(at), context.pool);
    return {.potential = std::move(potential), .map = std::move(map)};
  }
  if (static_cast<std::int64_t>(run.points.size()) != problem.n(0) * problem.d()) {
    throw DataError(concat("the stored points.npy does not have the ", problem.n(0), " x ",
                           problem.d(), " numbers of ", problem.marginals[0].name()));
  }
  auto [map, potential] = progot::transport_back(model, problem, run.points, run.potentials[0],
                                                 std::move(at), context.pool);
  return {.potential = std::move(potential), .map = std::move(map)};
}

}  // namespace

Evaluation evaluate_at(const Problem& problem, const StoredRun& run, int marginal,
                       std::span<const double> points, Context& context) {
  check_shapes(problem, run, marginal, points);
  if (progot::is_progot_model(run.model_json)) {
    return evaluate_progot(problem, run, marginal, points, context);
  }
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
  if (has_entropic_map(problem.cost.kind)) {
    std::vector<double> moves =
        mean_gradients<double>(reduction, problem.cost, {x.data(), num_points, d}, {y.data(), m, d},
                               context.pool, result.potential);
    to_displacements(problem.cost, moves);
    result.map.assign(points.begin(), points.end());
    for (std::size_t i = 0; i < moves.size(); ++i) result.map[i] -= moves[i];
  } else {
    kernels::soft_min<double>(reduction, context.pool, result.potential);
  }
  if (marginal == 0 && !run.model_json.empty())
    result.potential = network_potential(problem, run, points);
  return result;
}

}  // namespace kantor
