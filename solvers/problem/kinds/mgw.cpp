// Multimarginal Gromov-Wasserstein: the sum over the edges of a graph of a distortion.

#include "solvers/problem/kind.hpp"

namespace kantor {

namespace {

constexpr const char* kCosts[] = {"quadratic", "inner_product"};

void describe(config::Fields& fields, ProblemConfig& config) {
  describe_cost(fields, kMgwKind, config);
  config.epsilon.describe(fields);
  config.terms.emplace<MgwTerms>().graph.describe(fields);
}

void check(const ProblemConfig& config) {
  check_marginals(kMgwKind, config);
  static_cast<void>(std::get<MgwTerms>(config.terms).graph.edges(config.marginals.size()));
}

void load(const ProblemConfig& /*config*/, Problem& /*problem*/, Context& /*context*/) {}

}  // namespace

const KindEntry kMgwKind = {
    "mgw",     "Gromov-Wasserstein between the spaces at the nodes of a graph",
    2,         kAnyNumber,
    false,     kCosts,
    &describe, &check,
    &load,     &sizes_of_clouds};

}  // namespace kantor
