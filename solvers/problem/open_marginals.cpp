#include "solvers/problem/open_marginals.hpp"

#include "runtime/core/text.hpp"
#include "solvers/problem/cost_file.hpp"

namespace kantor {

void open_marginals(const ProblemConfig& config, Problem& problem) {
  if (!config.cost_file.empty()) return load_cost_file(config, problem);
  for (const data::MarginalConfig& marginal : config.marginals) {
    problem.marginals.push_back(data::load_marginal(marginal));
  }
}

void tell_of_unused_holdout(const Problem& problem, Context& context) {
  for (const data::Marginal& marginal : problem.marginals) {
    if (marginal.holdout() == 0) continue;
    context.log.info(concat("holdout = ", marginal.holdout(), " of ", marginal.name(),
                            " has no effect: this solver trains no network and takes all points"));
  }
}

}  // namespace kantor
