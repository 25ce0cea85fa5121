#pragma once

// What a plan looks like, beside its value: how spread out it is, how near the identity.
// Shapes: N points x (N_r on this rank), M points y.

#include <optional>
#include <span>

#include "solvers/problem/sharded_eot.hpp"
#include "solvers/result.hpp"

namespace kantor::sinkhorn {

/// Entropy alone, as of any plan with exact marginals: H(P) = H(a) + H(b) - kl. Collective.
PlanShape plan_entropy(const ShardedEot<double>& points, double kl);

/// Entropy, and for N = M what lies on the diagonal. O(N_r D), no pass over the pairs. Collective.
/// @param kl of a plan with exact marginals: H(P) = H(a) + H(b) - kl.
/// @param f [N_r], g [M] of the plan whose diagonal is taken, before any rounding.
PlanShape plan_shape(const Problem& problem, const ShardedEot<double>& points, double kl,
                     std::span<const double> f, std::span<const double> g);

}  // namespace kantor::sinkhorn
