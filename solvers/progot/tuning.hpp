#pragma once

#include <vector>

#include "distributed/context.hpp"
#include "solvers/eot/pair.hpp"
#include "solvers/progot/progot_config.hpp"
#include "solvers/sinkhorn/sinkhorn_config.hpp"

namespace kantor::progot {

/// Epsilons for a good map, one per solve: from tuning.start times 5 % of the mean cost to s times
/// 5 % of the target's mean cost to itself, where s is the scale at which the target, mapped to
/// itself, comes back best on points kept out. A seeded subset of the target, in double; rows are
/// shared by the ranks. Collective.
/// @throws ConfigError if the target has fewer than two points of positive weight; Stopped, at step
/// 0.
/// Source: Kassraie et al. 2024 (ProgOT), algorithm 4.
std::vector<double> tuned_epsilons(const ProgotConfig& config,
                                   const sinkhorn::SinkhornConfig& solves, const Pair& pair,
                                   Context& context);

}  // namespace kantor::progot
