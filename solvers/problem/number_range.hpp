#pragma once

#include "distributed/context.hpp"
#include "solvers/problem/cloud.hpp"
#include "solvers/problem/ground_cost.hpp"

namespace kantor {

/// Refuses costs and an epsilon that run.precision has no numbers for, whatever form the costs are
/// kept in: some forms would be right where others are not, and none says so. Collective; reads the
/// points once.
/// @throws ConfigError for float32, DataError for float64, on all ranks.
void check_number_range(const GroundCost& cost, const Cloud& x, const Cloud& y, double epsilon,
                        Context& context);

}  // namespace kantor
