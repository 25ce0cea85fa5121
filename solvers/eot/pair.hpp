#pragma once

// What an EOT oracle solves: transport between two clouds. Shapes: N points x, M points y, D
// dimensions.

#include <cstdint>
#include <string>
#include <vector>

#include "solvers/problem/problem.hpp"

namespace kantor {

struct Pair {
  Cloud x, y;
  GroundCost cost;
  double epsilon = 0;
  Penalty rho = {};
  std::vector<double> centre = {};  ///< [D], subtracted from all points before any tile is made
  double mean_cost = 0;             ///< under the product of the marginals; NaN: not finite

  const Cloud& cloud(std::size_t k) const { return k == 0 ? x : y; }
  std::int64_t n(std::size_t k) const { return cloud(k).n(); }
  std::int64_t d() const { return x.d(); }
};

/// The pair of a problem of two marginals.
Pair pair_of(const Problem& problem);

/// A cloud against itself: every rank reads its rows from the data.
Pair self_pair(const Pair& pair, std::size_t k);

/// The pair with x moved, its weights as they are: centre, mean and, if epsilon is relative, mean
/// cost and epsilon follow the cloud. No point leaves its rank. Collective.
/// @param rows  [N_r, D] this rank's rows (shard_of), not centred.
/// @param rule  of epsilon; an absolute one leaves it as it is.
/// @param where in a message, "in step 2 of 4".
Pair moved_pair(const Pair& pair, std::vector<double> rows, const EpsilonConfig& rule,
                const std::string& where, Context& context);

}  // namespace kantor
