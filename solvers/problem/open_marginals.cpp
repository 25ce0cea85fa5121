#include "solvers/problem/open_marginals.hpp"

#include "runtime/core/text.hpp"
#include "solvers/problem/cost_file.hpp"

namespace kantor {

std::vector<data::Marginal> open_marginals(const ProblemConfig& config, GroundCost& cost) {
  if (!config.cost_file.empty()) return load_cost_file(config, cost);
  std::vector<data::Marginal> marginals;
  for (const data::MarginalConfig& marginal : config.marginals) {
    marginals.push_back(data::load_marginal(marginal));
  }
  return marginals;
}

void tell_of_unused_holdout(const Problem& problem, Context& context) {
  for (const Cloud& cloud : problem.clouds) {
    const data::Marginal& marginal = cloud.marginal;
    if (marginal.holdout() == 0) continue;
    context.log.info(concat("holdout = ", marginal.holdout(), " of ", marginal.name(),
                            " has no effect: this solver trains no network and takes all points"));
  }
}

}  // namespace kantor
