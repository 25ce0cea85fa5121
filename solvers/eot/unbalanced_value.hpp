#pragma once

// The numbers that prove a pair of potentials where marginals are penalised instead of held.
// Shapes: N_r rows of x on this rank, M points y.

#include <span>

#include "solvers/eot/plan_value.hpp"

namespace kantor {

/// dual_value <= optimum <= objective, up to rounding in double. No plan is rounded: any plan is
/// feasible on a penalised side, and on a side that is held it is made exact by one more transform.
///   objective  = <P, C> + eps KL(P | a x b) + rho_x KL(P1 | a) + rho_y KL(P^T1 | b)
///   dual_value = - rho_x sum_i a_i expm1(-f_i / rho_x) - rho_y sum_j b_j expm1(-g_j / rho_y)
///                - eps (mass - 1), of (f, g) themselves
/// with KL(p | q) = sum p log(p / q) - p + q; an infinite rho leaves sum_i a_i f_i.
/// marginal_error: sum_i |row_i - a_i exp(-f_i / rho_x)| and its like, over the mass of the plan of
/// (f, g); they vanish at the optimum alone.
struct UnbalancedValue : PlanValue {
  double mass = 0;              ///< of the plan
  double marginal_penalty = 0;  ///< the two terms with rho
  double entropy = 0;           ///< - sum P log P
};

/// Four to six passes over the pairs, always in double. Collective.
/// @param f [N_r], @param g [M].
/// @throws NumericError (on all ranks) where the mass is not one that double holds to all digits.
/// Source: Chizat, Peyre, Schmitzer & Vialard 2018; Sejourne et al. 2019.
UnbalancedValue unbalanced_value(const ShardedPairs<double>& problem, std::span<const double> f,
                                 std::span<const double> g, Context& context);

}  // namespace kantor
