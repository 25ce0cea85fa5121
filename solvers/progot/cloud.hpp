#pragma once

// The source as it moves. Shapes: N points x (N_r on this rank), M points y, D dimensions.

#include <vector>

#include "solvers/eot/sharded_pairs.hpp"
#include "solvers/progot/solved_steps.hpp"

namespace kantor::progot {

/// This rank's rows of marginal 0, not centred. @return [N_r, D].
std::vector<double> own_rows(const Pair& source, const Communicator& world);

/// All of marginal 0. Collective. @return [N, D] on rank 0, or everywhere; else empty.
std::vector<double> whole_cloud(const Pair& source, bool everywhere, Communicator& world);

/// The cloud against itself: all of it on every rank. Collective.
Pair whole_self_pair(const Pair& source, Communicator& world);

/// The source after a solve: x - alpha (x - T(x)), with T the entropic map of the solve, less that
/// of the cloud to itself if the step is debiased. Collective; points travel only then.
/// @param points the source as it was solved.
/// @param rule   of epsilon.
/// @param where  in a message, "in step 2 of 4": which solve comes next.
template <class T>
Pair moved(const Pair& source, const ShardedPairs<T>& points, const SolvedStep& step,
           const EpsilonConfig& rule, const std::string& where, Context& context);

}  // namespace kantor::progot
