#pragma once

// Where alternations begin: A = 0 is stationary for symmetric laws, and rotated A are local minima.
// Shapes: A [DX, DY], N' points x of the subsample.

#include <cstdint>
#include <vector>

#include "solvers/egw/alternation.hpp"

namespace kantor::egw {

/// The k-th A to begin with: 0, then matched eigenvectors of the second moments, with other signs
/// and matches as k grows, and by turns with them random ones.
std::vector<double> start_alignment(const Spaces& spaces, std::int64_t k, std::int64_t seed);

/// A has no say where all is in the features: one start then.
std::int64_t num_starts(const Spaces& spaces, const EgwConfig& config);

/// Whether costs near those of good A are numbers of run.precision. Collective. @throws
/// ConfigError, DataError.
void check_number_range(const Spaces& spaces, double epsilon, Context& context);

/// What the starts have come to on a subsample; replicated.
struct Trials {
  Trials(const Spaces& few, const EgwConfig& config);

  std::vector<double> objectives;  ///< one a start: of the rounded plan
  std::vector<double> norms;       ///< |A|
  std::vector<double> best;        ///< numbers of the starts, the best first
  std::vector<double> alignments;  ///< [continued, DX DY] of the best
  std::vector<double> potentials;  ///< [continued, N'] f of the lifted problems of the subsample

  void describe(const StateFields& fields);
};

/// Each start is one rank's own, so that its bits do not hang on how many ranks there are; ranks
/// meet after every step. Collective. @param few the same on all ranks.
/// @throws Stopped: they begin again.
Trials try_starts(const Spaces& few, const EgwConfig& config, const sinkhorn::SinkhornConfig& inner,
                  double epsilon, CheckpointScope& scope, Context& context);

}  // namespace kantor::egw
