#pragma once

#include <cstdint>

#include "solvers/eot/pair.hpp"
#include "solvers/eot/sharded_pairs.hpp"
#include "solvers/neural/potential.hpp"

namespace kantor::neural {

/// The multiple of the network at which the dual value over the data is largest. Along
/// f = start + t * correction the semi-dual J is concave in t, with
///   J'  = E_mu h - E_nu E_P(.|y)[h],   J'' = -E_nu Var_P(.|y)[h] / eps,   h the correction,
/// and one pass over the pairs gives both, so Newton's method finds t in a few passes; where it
/// leaves the interval in which J' changes its sign, that is halved. A minibatch objective is
/// biased by O(1/B) (its mean over x stands inside a logarithm), and can lead away from a start
/// that is all but exact; with t the result is never worse than the start or the trained network.
/// Points kept out of training stay out of it. Collective.
/// @return t in [0, 2]; 1 if the correction is 0. @throws Stopped, between two passes.
template <class T>
double best_correction_scale(const Potential& potential, const Pair& pair, const Subset& subset,
                             Context& context);

}  // namespace kantor::neural
