#pragma once

// Shapes: N points x, M points y.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "distributed/checkpoint_scope.hpp"
#include "distributed/collectively.hpp"
#include "solvers/sinkhorn/iteration.hpp"

namespace kantor::sinkhorn {

/// A solve that has ended; the same on all ranks.
struct Solution {
  Report report = {};
  std::vector<double> f = {};  ///< [N]
  std::vector<double> g = {};  ///< [M]; empty for a cloud against itself

  void describe(const StateFields& fields) {
    fields.add("iterations", report.iterations);
    fields.add("converged", report.converged);
    fields.add("fallbacks", report.fallbacks);
    fields.add("stalled", report.is_stalled);
    fields.add("marginal_error", report.marginal_error);
    fields.add("f", f);
    fields.add("g", g);
  }
};

/// What this solve of the scope has found, if the run goes on from after it; else solves.
/// Collective.
/// @param m 0 for a cloud against itself.
inline Solution solve_once(CheckpointScope& scope, const std::string& name, std::int64_t n,
                           std::int64_t m, Communicator& world,
                           const std::function<Solution()>& solve) {
  Solution solution{.f = std::vector<double>(static_cast<std::size_t>(n)),
                    .g = std::vector<double>(static_cast<std::size_t>(m))};
  bool is_found = false;
  collectively(world, "restoring the solves", [&] { is_found = scope.found(name, solution); });
  if (is_found) return solution;
  solution = solve();
  scope.ended(name, solution);
  return solution;
}

}  // namespace kantor::sinkhorn
