// Multimarginal transport: the sum over the edges of a graph of w |x_i - x_j|^2, or another cost.

#include "solvers/problem/kind.hpp"

namespace kantor {

namespace {

constexpr const char* kCosts[] = {"sqeuclidean", "half_sqeuclidean", "dot"};

void describe(config::Fields& fields, ProblemConfig& config) {
  describe_cost(fields, kMotKind, config);
  config.epsilon.describe(fields);
  config.terms.emplace<MotTerms>().graph.describe(fields);
}

void check(const ProblemConfig& config) {
  check_marginals(kMotKind, config);
  static_cast<void>(std::get<MotTerms>(config.terms).graph.edges(config.marginals.size()));
}

void load(const ProblemConfig& /*config*/, Problem& /*problem*/, Context& /*context*/) {}

}  // namespace

const KindEntry kMotKind = {"mot",     "transport between the marginals at the nodes of a graph",
                            2,         kAnyNumber,
                            true,      kCosts,
                            &describe, &check,
                            &load,     &sizes_of_clouds};

}  // namespace kantor
