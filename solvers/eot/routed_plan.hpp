#pragma once

// A feasible plan where pairs are forbidden and what a plan lacks has no place beside it: some of
// what it holds moves, too. Shapes: N rows, N_r of them on this rank, M columns.

#include <span>

#include "solvers/eot/missing_mass.hpp"

namespace kantor {

struct RoutedTotals {
  bool is_feasible = false;  ///< else given up
  double transport_cost = 0;
  double kl = 0;
};

/// The sum of entropic plans and what they lack, routed along allowed pairs (max_flow.hpp). It
/// begins with the heaviest pairs of each row; a flow that still lacks mass is told, row by row,
/// the best pairs that lead out of its minimum cut, until none is left. Every rank holds these
/// pairs and computes the flow, so that none waits: about 60 bytes each, at most 4 million. Up to
/// 64 passes over the pairs, on one thread. Collective.
/// @param plans on pairs that are allowed. @param missing what they lack.
/// @throws DataError (on all ranks): no plan has these marginals; names rows and columns.
RoutedTotals routed_totals(const ShardedPairs<double>& problem,
                           std::span<const kernels::AddedPlan<double>> plans,
                           const Missing& missing, Context& context);

/// What may be missing of a plan that is called feasible, of a mass of 1: the rounding of sums.
inline constexpr double kMissingByRounding = 1e-12;

}  // namespace kantor
