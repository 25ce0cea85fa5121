#pragma once

// A cloud against itself. Shapes: N points (N_r rows on this rank).

#include <vector>

#include "solvers/sinkhorn/iteration.hpp"

namespace kantor::sinkhorn {

/// The one potential of a symmetric problem, by f <- (f + softmin f) / 2: the alternating iteration
/// may need many times as many steps. Two collectives per iteration.
/// @param problem  both marginals the same cloud with the same weights.
/// @param[in,out] f [N], the same on all ranks: where to start.
/// @param scope    where the state goes and comes from, to the bit.
/// @return iterations, and the L1 error of the plan of (f, f).
/// @throws NumericError (on all ranks) if the error is NaN; Stopped.
/// Source: Feydy et al. 2019, section 3.
template <class T>
Report iterate_symmetric(const ShardedPairs<T>& problem, const Stopping& stopping,
                         std::vector<double>& f, Context& context, const char* label,
                         CheckpointScope& scope);

}  // namespace kantor::sinkhorn
