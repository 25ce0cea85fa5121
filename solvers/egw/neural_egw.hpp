#pragma once

#include "solvers/egw/egw_config.hpp"
#include "solvers/neural/neural_config.hpp"
#include "solvers/result.hpp"
#include "solvers/solver.hpp"

namespace kantor::egw {

/// Entropic Gromov-Wasserstein with the potential as a network, trained by turns with A from the
/// best of many starts; Sinkhorn steps from both give the certificate, in double. Collective.
Result solve_neural(const EgwConfig& config, const neural::NeuralConfig& training,
                    const Problem& problem, Context& context);

}  // namespace kantor::egw
