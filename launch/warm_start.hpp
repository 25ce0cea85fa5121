#pragma once

// Another run as a start: solver.sinkhorn.warm_start = RUN_DIR.

#include <string>

#include "solvers/registry.hpp"

namespace kantor::launch {

/// Looks whether the potential of that run belongs to these marginals. Rank 0 alone.
/// @return what to warn of: another epsilon or cost makes a start all the same; "" if nothing.
/// @throws ConfigError: other marginals; DataError: no potential of as many points.
std::string check_warm_start(const Configuration& configuration, const Problem& problem);

}  // namespace kantor::launch
