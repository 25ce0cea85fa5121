#pragma once

#include <span>
#include <string>
#include <vector>

#include "solvers/problem/sharded_eot.hpp"
#include "solvers/result.hpp"
#include "solvers/sinkhorn/sinkhorn_config.hpp"

namespace kantor::sinkhorn {

/// Entropic OT by sharded log-domain Sinkhorn, in run.precision; what is reported is evaluated in
/// double. Collective.
Result solve(const SinkhornConfig& config, const Problem& problem, Context& context);

/// Whether a solve that says it has converged has done so in double: a loop measures in
/// run.precision, and a tolerance below its rounding is not believed, but warned of.
/// @param marginal_error [2] in double.
bool is_believed(bool converged, std::span<const double> marginal_error, double tolerance,
                 Context& context);

/// Shifts (f, g) to the gauge sum_i a_i f_i = 0; the plan and the dual value stay. @param a [N]
/// summing to 1. @return what was added to f.
double fix_gauge(std::span<const double> a, std::vector<double>& f, std::vector<double>& g);

/// What a solve with this configuration asks of its costs.
Workload workload_of(const SinkhornConfig& config, const Problem& problem);

/// How the costs would be stored, by the table of rates (--dry-run); for the divergence then of
/// each marginal against itself, one after the other. Collective. @throws ConfigError.
std::vector<StoragePlan> storage_plans(const SinkhornConfig& config, const Problem& problem,
                                       Context& context);

/// Measures, and says on rank 0's log what was chosen. Collective.
/// @param points as yet without stored costs.
template <class T>
void announce(StoragePlan& plan, const ShardedEot<T>& points, Context& context);

/// The plan beside what was measured, the slowest rank's. Collective.
/// @param plans   of the solve itself, then others: bytes are the most of them.
/// @param store_s seconds that making what is stored took in all.
StorageReport storage_report(std::span<const StoragePlan> plans, double seconds_per_iteration,
                             double store_s, std::int64_t refreshes, Context& context);

}  // namespace kantor::sinkhorn
