#pragma once

#include <span>
#include <string>
#include <vector>

#include "solvers/eot/sharded_pairs.hpp"
#include "solvers/result.hpp"
#include "solvers/sinkhorn/sinkhorn_config.hpp"

namespace kantor::sinkhorn {

/// Entropic OT by sharded log-domain Sinkhorn, in run.precision; what is reported is evaluated in
/// double. Collective.
Result solve(const SinkhornConfig& config, const Problem& problem, Context& context);

/// What the closing summary says of its own keys.
std::vector<Line> lines_of(const Record& result);

/// What a solve with this configuration asks of its costs.
Workload workload_of(const SinkhornConfig& config, const Pair& pair);

/// How the costs would be stored, by the table of rates (--dry-run); for the divergence then of
/// each marginal against itself, one after the other. Collective. @throws ConfigError.
std::vector<StoragePlan> storage_plans(const SinkhornConfig& config, const Problem& problem,
                                       Context& context);

}  // namespace kantor::sinkhorn
