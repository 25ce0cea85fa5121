#include "solvers/problem/open_marginals.hpp"

#include "solvers/problem/cost_file.hpp"

namespace kantor {

void open_marginals(const ProblemConfig& config, Problem& problem) {
  if (!config.cost_file.empty()) return load_cost_file(config, problem);
  for (const data::MarginalConfig& marginal : config.marginals) {
    problem.marginals.push_back(data::load_marginal(marginal));
  }
}

}  // namespace kantor
