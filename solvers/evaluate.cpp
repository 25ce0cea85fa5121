#include "solvers/evaluate.hpp"

#include <torch/torch.h>

#include <cmath>

#include "distributed/shards.hpp"
#include "runtime/core/error.hpp"
#include "runtime/core/index.hpp"
#include "runtime/kernels/soft_min.hpp"
#include "solvers/eot/entropic_map.hpp"
#include "solvers/neural/potential.hpp"
#include "solvers/progot/progot_model.hpp"

namespace kantor {

namespace {

/// The network's potential at points, in double. @param points [K, D].
std::vector<double> network_potential(const Pair& pair, const StoredRun& run,
                                      std::span<const double> points) {
  const neural::Potential potential = neural::Potential::restore(run.model_json, run.model);
  const std::int64_t d = pair.d();
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
void check_shapes(const Pair& pair, const StoredRun& run, int marginal,
                  std::span<const double> points) {
  if (marginal != 0 && marginal != 1) {
    throw DataError(concat("there is no marginal ", marginal, "; expected 0 or 1"));
  }
  if (points.size() % index(pair.d()) != 0) {
    throw DataError(concat(points.size(), " numbers are no points of dimension ", pair.d()));
  }
  for (std::size_t k = 0; k < 2; ++k) {
    if (run.potentials.size() != 2 ||
        static_cast<std::int64_t>(run.potentials[k].size()) != pair.n(k)) {
      throw DataError(concat("the stored potential of marginal ", k, " does not have the ",
                             pair.n(k), " points of ", pair.cloud(k).marginal.name()));
    }
  }
  if (!run.self_potential.empty() &&
      static_cast<std::int64_t>(run.self_potential.size()) != pair.n(index(marginal))) {
    throw DataError(concat("the stored self-potential of marginal ", marginal, " has ",
                           run.self_potential.size(), " values; expected ",
                           pair.n(index(marginal))));
  }
}

/// Through all maps of the run, or back through the last plan.
Evaluation evaluate_progot(const Pair& pair, const StoredRun& run, int marginal,
                           std::span<const double> points, Context& context) {
  const progot::Model model = progot::restore_model(run.model_json, run.model, pair);
  std::vector<double> at(points.begin(), points.end());
  if (marginal == 0) {
    auto [map, potential] = progot::transport(model, pair, std::move(at), context.pool);
    return {.potential = std::move(potential), .map = std::move(map)};
  }
  if (static_cast<std::int64_t>(run.points.size()) != pair.n(0) * pair.d()) {
    throw DataError(concat("the stored points.npy does not have the ", pair.n(0), " x ", pair.d(),
                           " numbers of ", pair.x.marginal.name()));
  }
  auto [map, potential] = progot::transport_back(model, pair, run.points, run.potentials[0],
                                                 std::move(at), context.pool);
  return {.potential = std::move(potential), .map = std::move(map)};
}

/// @param values [K, width]. @throws DataError.
void check_finite(std::span<const double> values, std::size_t width, const char* what) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (std::isfinite(values[i])) continue;
    throw DataError(concat("the ", what, " at point ", i / width, " is ", values[i],
                           ": it is so far from the points of the run that what they cost is no "
                           "finite number; expected points near those"));
  }
}

/// @throws DataError for a point of length 0.
void to_directions(std::span<double> points, std::int64_t d) {
  for (std::size_t i = 0; i < points.size(); i += index(d)) {
    if (data::to_unit_length(points.subspan(i, index(d)))) continue;
    throw DataError(concat("point ", i / index(d),
                           " holds zeros alone and has no direction, which cost \"cosine\" needs"));
  }
}

Evaluation evaluation_of(const Pair& pair, const StoredRun& run, int marginal,
                         std::span<const double> points, Context& context) {
  KANTOR_CHECK(!pair.cost.file, "a matrix of costs says nothing of new points");
  check_shapes(pair, run, marginal, points);
  if (progot::is_progot_model(run.model_json)) {
    return evaluate_progot(pair, run, marginal, points, context);
  }
  const std::int64_t d = pair.d();
  const std::size_t own = index(marginal);
  const std::size_t other = 1 - own;

  std::vector<double> directions(points.begin(), points.end());  // the points, but for cosine
  if (pair.cost.on_unit_sphere) to_directions(directions, d);
  std::vector<double> x = directions;  // centred
  for (std::size_t i = 0; i < x.size(); ++i) x[i] -= pair.centre[i % index(d)];
  const MapTarget target(pair, other);
  Evaluation result;
  if (has_entropic_map(pair.cost.kernel.kind) && !pair.cost.on_unit_sphere) {
    std::vector<double> moves = target.gradients(x, run.potentials[other], pair.epsilon,
                                                 target.points, context.pool, result.potential);
    if (!run.self_potential.empty()) {
      const MapTarget self(pair, own);
      std::vector<double> ignored;
      const std::vector<double> bias =
          self.gradients(x, run.self_potential, pair.epsilon, self.points, context.pool, ignored);
      for (std::size_t i = 0; i < moves.size(); ++i) moves[i] -= bias[i];
    }
    to_displacements(pair.cost.kernel, moves);
    result.map.assign(points.begin(), points.end());
    for (std::size_t i = 0; i < moves.size(); ++i) result.map[i] -= moves[i];
  } else {
    const auto cost = target.cost_from(x);
    result.potential.resize(index(target.view(x).n));
    kernels::soft_min<double>({*cost, target.log_weights, run.potentials[other], pair.epsilon},
                              context.pool, result.potential);
  }
  const double rho = marginal == 0 ? pair.rho.x : pair.rho.y;
  for (double& value : result.potential) value *= damping(rho, pair.epsilon);
  if (marginal == 0 && !run.model_json.empty())
    result.potential = network_potential(pair, run, directions);
  return result;
}

}  // namespace

Evaluation evaluate_at(const Problem& problem, const StoredRun& run, int marginal,
                       std::span<const double> points, Context& context) {
  const Pair pair = pair_of(problem);
  Evaluation result = evaluation_of(pair, run, marginal, points, context);
  check_finite(result.potential, 1, "potential");
  check_finite(result.map, index(pair.d()), "entropic map");
  return result;
}

}  // namespace kantor
