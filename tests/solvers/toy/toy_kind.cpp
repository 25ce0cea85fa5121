#include "tests/solvers/toy/toy.hpp"

namespace kantor::toy {

namespace {

constexpr const char* kCosts[] = {"half_sqeuclidean", "sqeuclidean"};

void describe(config::Fields& fields, ProblemConfig& config) {
  describe_cost(fields, kKind, config);
  config.epsilon.describe(fields);
  ToyTerms terms;
  fields.add("anneal", terms.anneal, "epsilon of the first solve, as a multiple").at_least(1);
  config.terms = std::any(terms);
}

void check(const ProblemConfig& config) { check_marginals(kKind, config); }

void load(const ProblemConfig& /*config*/, Problem& problem, Context& context) {
  const Epsilon epsilon = resolve_epsilon(problem.rule, problem.cost, problem.clouds[0],
                                          problem.clouds[1], "here", context);
  problem.epsilon = epsilon.value;
  problem.statistics = epsilon.statistics;
}

}  // namespace

const KindEntry kKind = {.name = "toy",
                         .meaning = "transport between two marginals, annealed",
                         .fewest = 2,
                         .most = 2,
                         .is_in_one_space = true,
                         .costs = kCosts,
                         .describe = describe,
                         .check = check,
                         .load = load,
                         .sizes = sizes_of_clouds};

}  // namespace kantor::toy
