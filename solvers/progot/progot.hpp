#pragma once

#include <vector>

#include "solvers/problem/problem.hpp"
#include "solvers/progot/progot_config.hpp"
#include "solvers/result.hpp"
#include "solvers/sinkhorn/sinkhorn_config.hpp"

namespace kantor::progot {

/// Progressive entropic OT: K solves, between which the source moves along the map of each towards
/// the target. In run.precision; what is reported is evaluated in double. The plan is that of the
/// last solve, whose row i is still the given x_i: a feasible plan of the given problem, so that
/// its objective bounds the optimum from above; the first solve's potential bounds it from below.
/// Collective.
/// Per rank: rows of X and all of Y, as for Sinkhorn, the moved rows in double, K potentials g.
/// @throws ValueError for a cost without a map, Stopped.
/// Source: Kassraie et al. 2024 (arXiv 2406.05061).
Result solve(const ProgotConfig& config, const sinkhorn::SinkhornConfig& solves,
             const Problem& problem, Context& context);

/// What the closing summary says of its own keys.
std::vector<Line> lines_of(const Record& result);

}  // namespace kantor::progot
