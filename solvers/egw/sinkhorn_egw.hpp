#pragma once

#include <string>
#include <vector>

#include "solvers/egw/egw_config.hpp"
#include "solvers/result.hpp"

namespace kantor::egw {

/// Entropic Gromov-Wasserstein by alternation with sharded Sinkhorn: the best of many starts, tried
/// on a subsample, at all points; what is reported is evaluated in double. Collective.
Result solve(const EgwConfig& config, const sinkhorn::SinkhornConfig& inner, const Problem& problem,
             Context& context);

/// What the closing summary says of its own keys.
std::vector<Line> lines_of(const Record& result);

/// How the costs of its solves at all points would be stored. Collective. @throws ConfigError.
std::string storage_of(const sinkhorn::SinkhornConfig& inner, const Problem& problem,
                       Context& context);

}  // namespace kantor::egw
