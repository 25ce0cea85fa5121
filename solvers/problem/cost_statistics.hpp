#pragma once

#include "distributed/context.hpp"
#include "solvers/problem/cloud.hpp"
#include "solvers/problem/ground_cost.hpp"

namespace kantor {

/// Spread of the cost under the product of the weighted marginals, in its own unit.
struct CostStatistics {
  double mean = 0;
  double standard_deviation = 0;
};

/// From the marginals' moments where the cost is a polynomial (O(n d), or O(n d^2) with the
/// standard deviation), else streamed over all pairs. Collective.
CostStatistics cost_statistics(const GroundCost& cost, const Cloud& x, const Cloud& y,
                               bool with_standard_deviation, Context& context);

}  // namespace kantor
