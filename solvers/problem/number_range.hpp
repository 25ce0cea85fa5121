#pragma once

#include "solvers/problem/problem.hpp"

namespace kantor {

/// Refuses costs and an epsilon that run.precision has no numbers for, whatever form the costs are
/// kept in: some forms would be right where others are not, and none says so. Collective; reads the
/// points once.
/// @throws ConfigError for float32, DataError for float64, on all ranks.
void check_number_range(const Problem& problem, Context& context);

}  // namespace kantor
