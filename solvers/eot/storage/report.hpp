#pragma once

#include <cstdint>
#include <span>

#include "runtime/record/record.hpp"
#include "solvers/eot/storage/plan.hpp"

namespace kantor {

/// How costs were stored: the plan beside what was measured, the slowest rank's. Collective.
/// @param plans   of the solve itself, then others: bytes are the most of them.
/// @param store_s seconds that making what is stored took in all.
Record storage_report(std::span<const StoragePlan> plans, double seconds_per_iteration,
                      double store_s, std::int64_t refreshes, Context& context);

}  // namespace kantor
