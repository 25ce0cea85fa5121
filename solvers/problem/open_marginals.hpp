#pragma once

#include "solvers/problem/problem.hpp"

namespace kantor {

/// Opens what a problem's marginals come from, files of points or of costs, without looking at the
/// values: names, numbers and fingerprints are known then. Not collective.
/// @param[in,out] cost its file is opened, if it has one. @throws DataError, ConfigError.
std::vector<data::Marginal> open_marginals(const ProblemConfig& config, GroundCost& cost);

/// Says so where points are kept out of training and no network is trained.
void tell_of_unused_holdout(const Problem& problem, Context& context);

}  // namespace kantor
