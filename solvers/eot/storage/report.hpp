#pragma once

#include <cstdint>
#include <span>

#include "solvers/eot/storage/plan.hpp"
#include "solvers/result.hpp"

namespace kantor {

/// The plan beside what was measured, the slowest rank's. Collective.
/// @param plans   of the solve itself, then others: bytes are the most of them.
/// @param store_s seconds that making what is stored took in all.
StorageReport storage_report(std::span<const StoragePlan> plans, double seconds_per_iteration,
                             double store_s, std::int64_t refreshes, Context& context);

}  // namespace kantor
