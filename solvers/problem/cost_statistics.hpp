#pragma once

#include "solvers/problem/problem.hpp"

namespace kantor {

/// Of the cost under the product of the weighted marginals, in its own unit.
struct CostStatistics {
  double mean = 0;
  double standard_deviation = 0;
};

/// From the marginals' moments where the cost is a polynomial (O(n d), or O(n d^2) with the
/// standard deviation), else streamed over all pairs. Collective; needs problem.cost, marginals,
/// means, centre.
CostStatistics cost_statistics(const Problem& problem, bool with_standard_deviation,
                               Context& context);

}  // namespace kantor
