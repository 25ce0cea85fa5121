#include "solvers/egw/fitted_alignment.hpp"

#include <utility>

#include "runtime/core/error.hpp"
#include "runtime/core/index.hpp"
#include "solvers/eot/entropic_map.hpp"

namespace kantor::egw {

FittedAlignment::FittedAlignment(StoredRun run, const Problem& problem, ThreadPool& pool)
    : spaces_(problem), epsilon_(problem.epsilon), run_(std::move(run)), pool_(pool) {
  if (spaces_.has_alignment()) {
    alignment_ = run_.array(run_files::kAlignment, {spaces_.d(0), spaces_.d(1)});
  }
  for (std::size_t k = 0; k < 2; ++k) run_.potential(k, problem.n(k));
}

std::int64_t FittedAlignment::num_dims(std::size_t marginal) const {
  if (!spaces_.is_fused()) return spaces_.d(marginal);
  throw UsageError(
      "new points of a fused run would need shared features, which eval does not take; ask its own "
      "points for their potentials in potentials/");
}

std::vector<double> FittedAlignment::lifted_potential(std::size_t k) const {
  std::vector<double> potential = run_.potential(k, spaces_.n(k));
  const std::vector<double> alone = spaces_.terms_alone(k, 0, spaces_.n(k), alignment_);
  for (std::size_t i = 0; i < potential.size(); ++i) potential[i] -= alone[i];
  return potential;
}

std::vector<double> FittedAlignment::potential_at(std::size_t marginal,
                                                  std::span<const double> points) const {
  return map_from(marginal, points, false).potential;
}

Evaluation FittedAlignment::map_from(std::size_t marginal, std::span<const double> points,
                                     bool debiased) const {
  if (debiased) {
    throw UsageError(
        "the projection of problem.kind = \"egw\" has no debiased form; leave "
        "--debiased out");
  }
  const std::size_t other = 1 - marginal;
  const Pair pair = spaces_.lifted(alignment_, epsilon_, marginal);
  const Lift lift = spaces_.lift(marginal, alignment_, marginal);
  const std::size_t width = index(pair.d());
  const std::size_t d = index(spaces_.d(marginal));
  const std::size_t count = points.size() / d;
  std::vector<double> lifted(count * width);
  std::vector<double> alone(count);
  std::vector<double> point(d);
  const TermAlone term = spaces_.term_alone(marginal, alignment_);
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t k = 0; k < d; ++k) point[k] = points[i * d + k] - lift.mean[k];
    lift.apply(point, {}, lifted.data() + i * width);
    alone[i] = term.at(point, {});
  }
  const MapTarget target(pair, other);
  Evaluation result;
  // Gradients of cost "dot" are x minus the averages.
  const std::vector<double> moves = target.gradients(lifted, lifted_potential(other), epsilon_,
                                                     target.points, pool_, result.potential);
  const std::vector<double>& mean = spaces_.space(other).moments.mean;
  for (std::size_t i = 0; i < count; ++i) {
    result.potential[i] += alone[i];
    for (std::size_t k = 0; k < mean.size(); ++k) {
      const std::size_t at = i * width + spaces_.first_of_points() + k;
      result.map.push_back(lifted[at] - moves[at] + mean[k]);
    }
  }
  return result;
}

}  // namespace kantor::egw
