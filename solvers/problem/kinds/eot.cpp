// Entropic optimal transport between two marginals.

#include <cmath>

#include "runtime/config/convert.hpp"
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
  constexpr const char* kMeaning =
      "KL penalty of the marginals: one number, or [rho of x, rho of y]; inf = held exactly";
  const config::Value* given = fields.raw("rho", kMeaning);
  if (given == nullptr) {
    fields.resolve_raw("rho", {rho.x, "default", ""});
    return;
  }
  const std::string where = fields.where("rho");
  if (const auto* both = std::get_if<config::Array>(&given->data)) {
    if (both->size() != 2) {
      throw ConfigError(concat(where, " has ", both->size(), " numbers; expected ", kMeaning));
    }
    rho.x = config::as_any_number((*both)[0], where, kMeaning);
    rho.y = config::as_any_number((*both)[1], where, kMeaning);
  } else {
    rho.x = rho.y = config::as_any_number(*given, where, kMeaning);
  }
}

void describe(config::Fields& fields, ProblemConfig& config) {
  describe_cost(fields, kEotKind, config);
  fields.add("p", config.p, "exponent of pnorm");
  fields.add_path("cost_file", config.cost_file, "of cost \"matrix\": .npy of all costs, [n, m]");
  config.epsilon.describe(fields);
  describe_rho(fields, config.terms.emplace<EotTerms>().rho);
}

void check(const ProblemConfig& config) {
  const Penalty rho = penalty_of(config.terms);
  for (const double each : {rho.x, rho.y}) {
    if (!(each > 0)) {
      throw ConfigError(concat("problem.rho is ", each,
                               "; expected a positive number, or inf for an exact marginal"));
    }
  }
  if (config.cost == "pnorm" && !(config.p > 1 && std::isfinite(config.p))) {
    throw ConfigError(concat("problem.p is ", config.p, "; expected an exponent above 1"));
  }
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
