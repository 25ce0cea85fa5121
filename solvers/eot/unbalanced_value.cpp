#include "solvers/eot/unbalanced_value.hpp"

#include <cmath>
#include <limits>

#include "distributed/collectively.hpp"
#include "runtime/core/error.hpp"
#include "solvers/eot/target_mass.hpp"

namespace kantor {

namespace {

/// Marginals of the plan of (f, g), over the given ones.
struct Marginals {
  std::vector<double> rows;     ///< [N_r]
  std::vector<double> columns;  ///< [M]; 0 where b_j is
};

Marginals marginals_of(const ShardedPairs<double>& problem, std::span<const double> f,
                       std::span<const double> g, Context& context) {
  const std::span<const double> b = problem.b();
  std::vector<double> soft_minima(f.size());
  problem.transform_to_x(g, soft_minima);
  Marginals marginals{std::vector<double>(f.size()), column_sums(problem, f, g, context)};
  for (std::size_t j = 0; j < b.size(); ++j) marginals.columns[j] /= b[j] > 0 ? b[j] : 1;
  for (std::size_t i = 0; i < f.size(); ++i) {
    marginals.rows[i] = std::exp((f[i] - soft_minima[i]) / problem.epsilon());
  }
  return marginals;
}

template <class Function>
std::vector<double> mapped(std::span<const double> values, const Function& function) {
  std::vector<double> result;
  for (const double value : values) result.push_back(function(value));
  return result;
}

double entropy_term(double ratio) { return ratio > 0 ? ratio * std::log(ratio) : 0; }
double divergence_term(double ratio) { return entropy_term(ratio) - ratio + 1; }

/// What a marginal's potential gives to the dual value, point by point.
std::vector<double> dual_terms(std::span<const double> potential, double rho) {
  if (std::isinf(rho)) return {potential.begin(), potential.end()};
  return mapped(potential, [rho](double value) { return -rho * std::expm1(-value / rho); });
}

/// |ratio - exp(-potential / rho)|, point by point.
std::vector<double> errors(std::span<const double> ratios, std::span<const double> potential,
                           double rho) {
  std::vector<double> result;
  for (std::size_t i = 0; i < ratios.size(); ++i) {
    result.push_back(std::abs(ratios[i] - std::exp(-potential[i] / rho)));
  }
  return result;
}

/// The side that is held exactly, made so: f or g becomes the other's transform.
void make_feasible(const ShardedPairs<double>& problem, std::vector<double>& f,
                   std::vector<double>& g) {
  const Penalty& rho = problem.penalty();
  if (std::isinf(rho.y)) problem.transform_to_y(f, g);
  if (std::isinf(rho.x)) problem.transform_to_x(g, f);
}

/// - sum_i row_i log a_i - sum_j column_j log b_j
double cross_entropy(const ShardedPairs<double>& problem, const Marginals& plan) {
  const auto terms = [](std::span<const double> ratios, std::span<const double> weights) {
    std::vector<double> result(ratios.size(), 0.0);
    for (std::size_t i = 0; i < ratios.size(); ++i) {
      if (weights[i] > 0) result[i] = -ratios[i] * std::log(weights[i]);
    }
    return result;
  };
  return problem.expectation_x(terms(plan.rows, problem.a())) +
         problem.expectation_y(terms(plan.columns, problem.b()));
}

/// What underflows in a sum must be below its rounding, and what is multiplied with it finite.
void check_mass(double mass, double log_target, Context& context) {
  constexpr double kLeast =
      std::numeric_limits<double>::min() / std::numeric_limits<double>::epsilon();
  if (mass >= kLeast && mass <= 1 / kLeast) return;
  fail_on_all_ranks(
      context.world,
      NumericError(concat("the mass of the plan is about exp(", log_target,
                          "), expected one between ", kLeast, " and ", 1 / kLeast,
                          "; subtract a constant from the costs, or raise problem.rho")));
}

}  // namespace

UnbalancedValue unbalanced_value(const ShardedPairs<double>& problem, std::span<const double> f,
                                 std::span<const double> g, Context& context) {
  const Penalty& rho = problem.penalty();
  const double epsilon = problem.epsilon();
  UnbalancedValue value;

  const Marginals own = marginals_of(problem, f, g, context);
  const double own_mass = problem.expectation_x(own.rows);
  check_mass(own_mass, log_target_mass(problem.b(), g, rho.y), context);
  value.marginal_error = {problem.expectation_x(errors(own.rows, f, rho.x)) / own_mass,
                          problem.expectation_y(errors(own.columns, g, rho.y)) / own_mass};
  value.dual_value = problem.expectation_x(dual_terms(f, rho.x)) +
                     problem.expectation_y(dual_terms(g, rho.y)) - epsilon * (own_mass - 1);

  std::vector<double> plan_f(f.begin(), f.end());
  std::vector<double> plan_g(g.begin(), g.end());
  make_feasible(problem, plan_f, plan_g);
  const Marginals plan = rho.is_free() ? own : marginals_of(problem, plan_f, plan_g, context);
  value.mass = problem.expectation_x(plan.rows);
  if (!std::isinf(rho.x)) {
    value.marginal_penalty += rho.x * problem.expectation_x(mapped(plan.rows, divergence_term));
  }
  if (!std::isinf(rho.y)) {
    value.marginal_penalty += rho.y * problem.expectation_y(mapped(plan.columns, divergence_term));
  }

  // Rows of mass r_i: KL(P | a x b) = sum_i r_i KL(P_i / r_i | b) + sum_i r_i log(r_i / a_i) - mass
  // + 1.
  std::vector<double> masses(plan.rows);
  for (std::size_t i = 0; i < masses.size(); ++i) {
    masses[i] =
        problem.a()[i] > 0 ? problem.a()[i] * masses[i] : 0;  // of an absent point: any, inf
  }
  const kernels::RoundedTotals totals =
      rounded_totals(problem, plan_g, masses, std::vector<double>(g.size(), 1.0),
                     std::vector<double>(g.size(), 0.0), 0, context);
  std::vector<double> sums = {totals.transport_cost, totals.kl};
  context.world.all_reduce<double>(sums, ReduceOp::sum, "plan value");
  value.transport_cost = sums[0];
  value.kl = sums[1] + problem.expectation_x(mapped(plan.rows, entropy_term)) - value.mass + 1;
  value.entropy = cross_entropy(problem, plan) - value.kl - value.mass + 1;
  value.objective = value.transport_cost + epsilon * value.kl + value.marginal_penalty;
  return value;
}

}  // namespace kantor
