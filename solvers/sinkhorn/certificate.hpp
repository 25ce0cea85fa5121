#pragma once

// What is proven of potentials that a solver has found. Shapes: N points x (N_r on this rank), M
// points y.

#include <cstdint>
#include <vector>

#include "solvers/eot/plan_value.hpp"
#include "solvers/sinkhorn/iteration.hpp"

namespace kantor::sinkhorn {

struct Certificate {
  Report report;
  PlanValue value;        ///< of the solved potentials
  std::vector<double> f;  ///< [N] solved, in the gauge sum_i a_i f_i = 0; on all ranks
  std::vector<double> g;  ///< [M]
};

/// Sinkhorn iterations from these potentials, in run.precision, and the value of what they end at,
/// in double. Collective.
/// @param points of the pair and subset, streamed.
/// @param f      [N_r]. @param g [M] the c-transform of f.
/// @param step   of the run, see EvaluationProgress.
Certificate certificate_of(const Pair& pair, const Subset& subset, ShardedPairs<double>& points,
                           const Stopping& stopping, std::vector<double> f, std::vector<double> g,
                           std::int64_t step, Context& context);

}  // namespace kantor::sinkhorn
