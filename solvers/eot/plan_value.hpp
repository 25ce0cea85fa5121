#pragma once

// The numbers that prove a pair of potentials: its dual value, and the value of a feasible plan
// made of it. Shapes: N_r rows of x on this rank, M points y.

#include <algorithm>
#include <cmath>
#include <span>

#include "solvers/eot/sharded_pairs.hpp"

namespace kantor {

/// Column sums of the plan of ANY potentials. Collective.
/// @param f [N_r], @param g [M]. @return [M].
std::vector<double> column_sums(const ShardedPairs<double>& problem, std::span<const double> f,
                                std::span<const double> g, Context& context);

/// dual_value <= optimum <= objective, up to rounding in double.
struct PlanValue {
  double dual_value = 0;      ///< E f + E g - eps (mass - 1)
  double transport_cost = 0;  ///< <P, C> of the rounded plan
  double kl = 0;              ///< KL(P | a x b) of the rounded plan
  /// transport_cost + eps kl; both inf if no plan was found that avoids all forbidden pairs.
  double objective = 0;
  double priced_cost = 0;              ///< <P, C'> of the rounded plan, if other costs are given
  std::vector<double> marginal_error;  ///< L1, x then y, of the plan BEFORE rounding
  std::vector<double> exact_f;         ///< [N_r] c-transform of g: with it the rows are exact

  double gap() const { return objective - dual_value; }
  /// What a gap is large or small beside, also where costs have an offset that cancels.
  double scale(double epsilon) const { return std::abs(dual_value) + epsilon * (1 + kl); }
  /// Whether the gap is in proportion to a tolerance of the marginals: 100 times as much of scale()
  /// at most, or 1 %.
  bool is_tight(double tolerance, double epsilon) const {
    return gap() <= std::max(0.01, 100 * tolerance) * scale(epsilon);
  }
};

/// Passes over the pairs that plan_value() makes, as a rule.
inline std::int64_t num_value_passes(std::int64_t num_columns) {
  return num_columns <= kMostColumnsAtOnce ? 2 : 3;
}

/// Totals of the rounded plan over this rank's rows, see kernels::rounded_plan_totals.
kernels::RoundedTotals rounded_totals(const ShardedPairs<double>& problem,
                                      std::span<const double> g,
                                      std::span<const double> row_weights,
                                      std::span<const double> column_scale,
                                      std::span<const double> column_missing, double total_missing,
                                      Context& context,
                                      const ShardedPairs<double>* prices = nullptr,
                                      std::span<const kernels::AddedPlan<double>> added = {});

/// Two or three passes over the pairs, always in double. Collective.
/// The plan is rounded from (c-transform of g, g), whose rows are exact: columns are cut to b, and
/// what is then missing is added as a rank-one plan (Altschuler, Weed & Rigollet 2017, algorithm
/// 2). Where that is dear, missing mass goes where it is cheap (missing_mass.hpp), for up to 50
/// passes more.
/// @param f [N_r], @param g [M].
/// @param prices other costs C' of the same pairs, for one pass more: the plan of a moved cloud at
///               the costs of the original one.
PlanValue plan_value(const ShardedPairs<double>& problem, std::span<const double> f,
                     std::span<const double> g, Context& context,
                     const ShardedPairs<double>* prices = nullptr);

/// Whether a solve that says it has converged has done so in double: a loop measures in
/// run.precision, and a tolerance below its rounding is not believed, but warned of.
/// @param marginal_error [2] in double.
bool is_confirmed_in_double(bool converged, std::span<const double> marginal_error,
                            double tolerance, Context& context);

}  // namespace kantor
