#pragma once

// The Sinkhorn divergence S = OT(mu, nu) - (OT(mu, mu) + OT(nu, nu)) / 2, with OT the optimal value
// of E[c] + eps KL at one epsilon. Shapes: n_k points of marginal k. Source: Genevay, Peyre &
// Cuturi 2018; Feydy et al. 2019.

#include <string>
#include <vector>

#include "runtime/record/record.hpp"
#include "solvers/eot/pair.hpp"
#include "solvers/eot/plan_value.hpp"
#include "solvers/sinkhorn/solution.hpp"

namespace kantor::sinkhorn {

/// A marginal against itself.
struct SelfTransport {
  Report report;
  PlanValue value;
  std::vector<double> potential;  ///< [n_k], the same on all ranks
};

/// By the symmetric iteration, in run.precision; the value is evaluated in double. Collective.
/// @param stopping tolerance and max_iterations alone.
/// @param plan     of solve_shape() of self_pair().
/// @param run      of which it is a part, from this step on.
SelfTransport solve_self(const Pair& pair, std::size_t marginal, const Stopping& stopping,
                         const StoragePlan& plan, CheckpointScope& run, std::int64_t first_step,
                         Context& context);

struct Divergence {
  double value = 0;  ///< of the dual values
  double lower = 0;  ///< lower <= the divergence <= upper
  double upper = 0;
  double xx = 0;  ///< OT(mu, mu), dual value
  double yy = 0;
  std::vector<std::int64_t> iterations;  ///< of xx and yy

  Record record() const;
};

/// Bounds and value from the duals: what is proven of the three terms is proven of S.
Divergence divergence_of(const PlanValue& xy, const SelfTransport& xx, const SelfTransport& yy);

}  // namespace kantor::sinkhorn
