#pragma once

// Solves of transport problems that follow each other and differ little, as outer loops pose them.
// Shapes: N_r points x on this rank, M points y, D dimensions.

#include <cstdint>
#include <span>
#include <vector>

#include "distributed/checkpoint_scope.hpp"
#include "solvers/eot/plan_value.hpp"

namespace kantor {

/// All collective.
class EotOracle {
 public:
  struct Solution {
    std::vector<double> f;  ///< [N_r]
    std::vector<double> g;  ///< [M]
    double marginal_error = 0;
    std::int64_t iterations = 0;
    bool converged = false;
  };

  virtual ~EotOracle() = default;

  /// Pairs after the first have other rows x, epsilon and centre; weights, cost and y are those of
  /// the first.
  /// @param g         [M] where it starts from, as a rule the solution before; or empty.
  /// @param tolerance L1 error of the marginals.
  /// @param scope     of this solve alone. @throws Stopped.
  virtual Solution solve(const Pair& pair, std::vector<double> g, double tolerance,
                         CheckpointScope& scope) = 0;

  // What is asked of the last pair that was solved:

  struct Moment {
    std::vector<double> values;  ///< [K, D] E_P[v y^T], points y as they are, not centred
    double dual_value = 0;       ///< of g and its c-transform, a lower bound of the optimum
  };
  /// One pass and one all-reduce, of the plan of g with exact rows.
  /// @param values v [N_r, K] at this rank's rows: the points x, or others.
  virtual Moment cross_moment(const Solution& solution, std::span<const double> values,
                              std::int64_t num_values) = 0;
  /// Bounds of the optimum, evaluated in double.
  virtual PlanValue value(const Solution& solution) = 0;
};

}  // namespace kantor
