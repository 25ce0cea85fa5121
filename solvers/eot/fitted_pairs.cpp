#include "solvers/eot/fitted_pairs.hpp"

#include "runtime/core/error.hpp"
#include "runtime/core/index.hpp"
#include "runtime/kernels/soft_min.hpp"
#include "solvers/eot/entropic_map.hpp"

namespace kantor {

FittedPairs::FittedPairs(StoredRun run, const Problem& problem, ThreadPool& pool)
    : run_(std::move(run)), pair_(pair_of(problem)), pool_(pool) {
  for (std::size_t k = 0; k < 2; ++k) run_.potential(k, problem.n(k));
}

std::int64_t FittedPairs::num_dims(std::size_t /*marginal*/) const {
  if (!pair_.cost.file) return pair_.d();
  throw UsageError(
      "new points need a cost between points; the run's problem.cost = \"matrix\" says nothing of "
      "them");
}

bool FittedPairs::has_map() const {
  return has_entropic_map(pair_.cost.kernel.kind) && !pair_.cost.on_unit_sphere;
}

std::vector<double> FittedPairs::costed(std::span<const double> points) const {
  std::vector<double> result(points.begin(), points.end());
  const std::size_t d = index(pair_.d());
  for (std::size_t i = 0; pair_.cost.on_unit_sphere && i < result.size(); i += d) {
    if (data::to_unit_length(std::span(result).subspan(i, d))) continue;
    throw DataError(concat("point ", i / d,
                           " holds zeros alone and has no direction, which cost \"cosine\" needs"));
  }
  return result;
}

std::vector<double> FittedPairs::centred(std::vector<double> points) const {
  for (std::size_t i = 0; i < points.size(); ++i) points[i] -= pair_.centre[i % index(pair_.d())];
  return points;
}

void FittedPairs::damp(std::size_t marginal, std::vector<double>& potential) const {
  const double factor = damping(marginal == 0 ? pair_.rho.x : pair_.rho.y, pair_.epsilon);
  for (double& value : potential) value *= factor;
}

std::span<const double> FittedPairs::self_potential(std::size_t marginal) const {
  const std::string name = concat(run_files::kSelfPotentials, "/", marginal);
  if (run_.find(name) != nullptr) return run_.array(name, {pair_.n(marginal)});
  throw UsageError(concat("--debiased needs ", name,
                          ".npy, which this run has not; solve the problem with solver.name = "
                          "\"sinkhorn\" and solver.sinkhorn.divergence = true"));
}

std::vector<double> FittedPairs::potential_at(std::size_t marginal,
                                              std::span<const double> points) const {
  const std::size_t other = 1 - marginal;
  const std::vector<double> x = centred(costed(points));
  const MapTarget target(pair_, other);
  const auto cost = target.cost_from(x);
  std::vector<double> result(index(target.view(x).n));
  kernels::soft_min<double>(
      {*cost, target.log_weights, run_.potential(other, pair_.n(other)), pair_.epsilon}, pool_,
      result);
  damp(marginal, result);
  return result;
}

Evaluation FittedPairs::map_from(std::size_t marginal, std::span<const double> points,
                                 bool debiased) const {
  if (!has_map()) {
    throw UsageError(concat("cost ", pair_.cost.name,
                            " has no entropic map, with bias or without; leave --debiased out"));
  }
  const std::size_t other = 1 - marginal;
  const std::vector<double> x = centred({points.begin(), points.end()});
  const MapTarget target(pair_, other);
  Evaluation result;
  std::vector<double> moves =
      target.gradients(x, run_.potential(other, pair_.n(other)), pair_.epsilon, target.points,
                       pool_, result.potential);
  if (debiased) {
    const MapTarget self(pair_, marginal);
    std::vector<double> ignored;
    const std::vector<double> bias =
        self.gradients(x, self_potential(marginal), pair_.epsilon, self.points, pool_, ignored);
    for (std::size_t i = 0; i < moves.size(); ++i) moves[i] -= bias[i];
  }
  to_displacements(pair_.cost.kernel, moves);
  result.map.assign(points.begin(), points.end());
  for (std::size_t i = 0; i < moves.size(); ++i) result.map[i] -= moves[i];
  damp(marginal, result.potential);
  return result;
}

}  // namespace kantor
