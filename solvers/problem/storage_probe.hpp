#pragma once

// What an iteration will take on this machine, measured before anything large is allocated.

#include "solvers/problem/sharded_eot.hpp"
#include "solvers/problem/storage_plan.hpp"

namespace kantor {

/// Seconds of an iteration in the plan's form: of the kernel itself on some row blocks of this
/// problem, by all threads at once; stored forms by passes over a buffer larger than a cache, or as
/// large as what will be stored. About 50 ms, or a row block per thread. Medians and least times:
/// what the machine does when nobody else is at work. The slowest rank's; collective. Nothing that
/// is solved depends on it.
/// @param points streamed yet, unless a file gives the costs.
template <class T>
double measured_seconds(const ShardedEot<T>& points, const StoragePlan& plan, Context& context);

}  // namespace kantor
