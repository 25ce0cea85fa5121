#pragma once

#include "distributed/context.hpp"
#include "solvers/eot/pair.hpp"
#include "solvers/neural/potential.hpp"

namespace kantor::neural {

/// The potential that training starts from: 0, or the closed form between Gaussians. Its inputs are
/// scaled by the moments of the pair's x, its output is in epsilon. Collective.
Potential initial_potential(const NetworkConfig& config, const Pair& pair, Context& context);

}  // namespace kantor::neural
