// Entropic optimal transport between two marginals.

#include "runtime/core/error.hpp"
#include "solvers/problem/closed_forms.hpp"
#include "solvers/problem/kind.hpp"
#include "solvers/problem/number_range.hpp"

namespace kantor {

namespace {

constexpr const char* kCosts[] = {"sqeuclidean", "half_sqeuclidean", "dot",      "euclidean",
                                  "pnorm",       "cosine",           kMatrixCost};

/// One penalty for both marginals, or one each; not given = both held exactly.
void describe_rho(config::Fields& fields, Penalty& rho) {
  std::vector<double> both = {rho.x};
  fields
      .add("rho", both,
           "KL penalty of the marginals: one number, or [rho of x, rho of y]; inf = held exactly")
      .items(1, 2)
      .above(0);
  rho = {both.front(), both.back()};
  if (both.size() == 1) fields.resolve_raw("rho", {rho.x, "", ""});
}

void describe(config::Fields& fields, ProblemConfig& config) {
  describe_cost(fields, kEotKind, config);
  fields.add("p", config.p, "exponent of pnorm").above(1);
  fields.add_path("cost_file", config.cost_file, "of cost \"matrix\": .npy of all costs, [n, m]");
  config.epsilon.describe(fields);
  describe_rho(fields, config.terms.emplace<EotTerms>().rho);
}

void check(const ProblemConfig& config) {
  const bool is_matrix = config.cost == kMatrixCost;
  if (is_matrix != !config.cost_file.empty()) {
    throw ConfigError(is_matrix
                          ? "problem.cost = \"matrix\" needs problem.cost_file = \"C.npy\""
                          : "problem.cost_file is given; set problem.cost = \"matrix\" to use it");
  }
  if (!is_matrix) return check_marginals(kEotKind, config);
  if (!config.marginals.empty()) check_number_of_marginals(kEotKind, config);
  for (const data::MarginalConfig& marginal : config.marginals) marginal.check_weights_alone();
}

void load(const ProblemConfig& config, Problem& problem, Context& context) {
  const Cloud& x = problem.clouds[0];
  const Cloud& y = problem.clouds[1];
  const Epsilon epsilon = resolve_epsilon(problem.rule, problem.cost, x, y, "here", context);
  problem.epsilon = epsilon.value;
  problem.statistics = epsilon.statistics;
  check_number_range(problem.cost, x, y, problem.epsilon, context);
  problem.reference = closed_form(config, problem.epsilon);
}

}  // namespace

const KindEntry kEotKind = {"eot",     "entropic optimal transport between two marginals",
                            2,         2,
                            true,      kCosts,
                            &describe, &check,
                            &load,     &sizes_of_clouds};

}  // namespace kantor
