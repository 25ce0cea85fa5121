#include "solvers/problem/epsilon.hpp"

#include <cmath>
#include <limits>

#include "distributed/collectively.hpp"
#include "runtime/core/error.hpp"

namespace kantor {

namespace {

constexpr const char* kForms =
    "a number above 0, or { relative = \"mean\" | \"std\", scale = 0.05 }";

}  // namespace

void EpsilonConfig::describe(config::Fields& fields) {
  const config::Value* given = fields.raw("epsilon", "weight of KL(P | mu x nu)", kForms);
  is_given = given != nullptr;
  if (!is_given) return;
  if (!given->is_table()) {
    fields.add("epsilon", value, kForms).above(0);
    return;
  }
  fields.add_table("epsilon", kForms, [&](config::Fields& inner) {
    inner.add_choice("relative", relative, {"mean", "std"}, "of the cost under the product");
    inner.add("scale", scale, "epsilon = scale * statistic").above(0);
  });
  if (relative.empty()) {
    throw ConfigError(concat(fields.where("epsilon"), " lacks relative = \"mean\" | \"std\""));
  }
}

void EpsilonConfig::check() const {
  if (!is_given) throw ConfigError(concat("problem.epsilon is missing; expected ", kForms));
}

Epsilon resolve_epsilon(const EpsilonConfig& rule, const GroundCost& cost, const Cloud& x,
                        const Cloud& y, const std::string& where, Context& context) {
  const bool needs_std = rule.relative == "std";
  Epsilon epsilon{rule.value, cost_statistics(cost, x, y, needs_std, context)};
  const double statistic =
      needs_std ? epsilon.statistics.standard_deviation : epsilon.statistics.mean;
  if (cost.has_forbidden_pairs) {
    epsilon.statistics.mean = std::numeric_limits<double>::quiet_NaN();
  }
  if (rule.relative.empty()) return epsilon;
  if (cost.has_forbidden_pairs) {
    fail_on_all_ranks(
        context.world,
        ConfigError(concat("problem.epsilon is relative to the ", rule.relative,
                           " of the cost, which forbidden pairs (inf) make infinite; give a "
                           "positive number instead")));
  }
  epsilon.value = rule.scale * statistic;
  if (!(epsilon.value > 0 && std::isfinite(epsilon.value))) {
    fail_on_all_ranks(context.world,
                      ConfigError(concat("problem.epsilon is relative to the ", rule.relative,
                                         " of the cost, which is ", statistic, " ", where,
                                         "; give a positive number instead")));
  }
  return epsilon;
}

}  // namespace kantor
