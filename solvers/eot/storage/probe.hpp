#pragma once

// What an iteration will take on this machine, measured before anything large is allocated.

#include "solvers/eot/sharded_pairs.hpp"
#include "solvers/eot/storage/plan.hpp"

namespace kantor {

/// Seconds of an iteration: of the kernel itself on some row blocks of this problem, by all threads
/// at once; stored forms by passes over a buffer larger than a cache, or as large as what will be
/// stored, and what storing takes by the making of that buffer too. About 50 ms, or two row blocks
/// per thread. Medians and least times: what the machine does when nobody else is at work. The
/// slowest rank's; collective. Nothing that is solved depends on it.
/// @param points streamed yet, unless a file gives the costs.
template <class T>
MeasuredStorage measured_storage(const ShardedPairs<T>& points, const StoragePlan& plan,
                                 Context& context);

}  // namespace kantor
