#pragma once

#include <vector>

#include "solvers/eot/storage/record.hpp"
#include "solvers/progot/progot_config.hpp"
#include "solvers/sinkhorn/sinkhorn_config.hpp"

namespace kantor::progot {

/// Storage of the solves; debiased, also of those of the moved cloud against itself, beside which
/// the costs of the solve stay: with room for the solve, there is room for streaming the other.
std::vector<StoragePlan> plans_of(const ProgotConfig& config,
                                  const sinkhorn::SinkhornConfig& solves, const Pair& pair,
                                  CheckpointScope& run, Context& context);

/// How the costs of each solve would be stored, by the table of rates (--dry-run); debiased, then
/// of the moved cloud against itself, beside them. Collective. @throws ConfigError.
std::vector<StoragePlan> storage_plans(const ProgotConfig& config,
                                       const sinkhorn::SinkhornConfig& solves,
                                       const Problem& problem, Context& context);

}  // namespace kantor::progot
