#pragma once

// What a plan looks like, beside its value: how spread out it is, how near the identity.
// Shapes: N points x (N_r on this rank), M points y.

#include <optional>
#include <span>
#include <vector>

#include "solvers/eot/sharded_pairs.hpp"
#include "solvers/result.hpp"

namespace kantor {

/// How spread out a plan is (neural: the certificate's), and, if both marginals have as many
/// points, how near the identity.
struct PlanDiagnostics {
  double entropy = 0;
  std::optional<double> normalised_entropy = {};
  std::optional<double> diagonal_mass = {};
  std::optional<double> identity_kl = {};

  /// Keys of the result, and what is to be warned of a plan that tells hardly more than the
  /// marginals.
  void put_into(Result& result, const Pair& pair) const;
};

/// What the closing summary says of those keys, if they are there.
std::vector<Line> plan_lines(const Record& result);

/// Entropy alone, as of any plan with exact marginals: H(P) = H(a) + H(b) - kl. Collective.
PlanDiagnostics plan_entropy(const ShardedPairs<double>& points, double kl);

/// Entropy, and for N = M what lies on the diagonal. O(N_r D), no pass over the pairs. Collective.
/// @param kl of a plan with exact marginals: H(P) = H(a) + H(b) - kl.
/// @param f [N_r], g [M] of the plan whose diagonal is taken, before any rounding.
PlanDiagnostics plan_diagnostics(const Pair& pair, const ShardedPairs<double>& points, double kl,
                                 std::span<const double> f, std::span<const double> g);

}  // namespace kantor
