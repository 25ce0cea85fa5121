#pragma once

// Where the iteration starts from, if not from 0. Shapes: M points y.

#include <cstdint>
#include <string>
#include <vector>

#include "solvers/eot/sharded_pairs.hpp"
#include "solvers/sinkhorn/sinkhorn_config.hpp"

namespace kantor::sinkhorn {

/// The second potential of a run: certificate/1.npy, or potentials/1.npy.
/// @param m how many points it must have. @throws DataError.
std::vector<double> read_start(const std::string& directory, std::int64_t m);

/// Whether the run that config.warm_start names is a start for this problem. Rank 0 alone.
/// @return what to warn of: another epsilon or cost makes a start all the same; "" if nothing.
/// @throws ConfigError: other marginals; DataError: no potential of as many points.
std::string check_start(const SinkhornConfig& config, const Problem& problem);

/// g by config.warm_start: 0 without one, with forbidden pairs what all allowed ones of a column
/// cost; "gaussian": from the optimal potential between Gaussians of the marginals' moments;
/// "subsample": from a solve of config.warm_start_points seeded points a marginal; else from a run
/// directory. Collective.
/// @return [M], the same on all ranks.
/// @throws DataError: the run directory has no potential, or one of another problem. Stopped.
template <class T>
std::vector<double> warm_start(const SinkhornConfig& config, const Pair& pair,
                               const ShardedPairs<T>& points, Context& context);

}  // namespace kantor::sinkhorn
