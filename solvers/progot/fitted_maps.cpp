#include "solvers/progot/fitted_maps.hpp"

#include "runtime/core/error.hpp"

namespace kantor::progot {

FittedMaps::FittedMaps(StoredRun run, const Problem& problem, ThreadPool& pool)
    : run_(std::move(run)),
      pair_(pair_of(problem)),
      pool_(pool),
      model_(restore_model(run_.model, run_.tensors, pair_)) {
  for (std::size_t k = 0; k < 2; ++k) run_.potential(k, problem.n(k));
  run_.array(run_files::kPoints, {problem.n(0), problem.d()});
}

Evaluation FittedMaps::map_from(std::size_t marginal, std::span<const double> points,
                                bool debiased) const {
  if (debiased) {
    throw UsageError(
        concat("--debiased is not for a run of progot, whose maps are debiased if it "
               "was solved so: this one has solver.progot.debiased = ",
               model_.f_self.empty() ? "false; leave the flag out, or solve it with true"
                                     : "true; leave the flag out"));
  }
  std::vector<double> at(points.begin(), points.end());
  if (marginal == 0) return transport(model_, pair_, std::move(at), pool_);
  return transport_back(model_, pair_, run_.array(run_files::kPoints, {pair_.n(0), pair_.d()}),
                        run_.potential(0, pair_.n(0)), std::move(at), pool_);
}

}  // namespace kantor::progot
