#pragma once

// Alternations from the best of many starts, over subsamples to all points. Shapes: N points x,
// M points y; A [DX, DY].

#include <utility>
#include <vector>

#include "runtime/core/index.hpp"
#include "solvers/egw/alternation.hpp"
#include "solvers/egw/starts.hpp"

namespace kantor::egw {

/// What a start has come to at all points; replicated.
struct Solved {
  Solved(const Spaces& spaces, Iterate at_)
      : at(std::move(at_)),
        f(index(spaces.n(0))),
        g(index(spaces.n(1))),
        half_moment(spaces.has_alignment() ? spaces.size_of_alignment() : 0) {}

  Iterate at;
  std::vector<double> f;            ///< [N] of the lifted problem at A
  std::vector<double> g;            ///< [M]
  std::vector<double> half_moment;  ///< [DX, DY]
  bool has_converged = false;       ///< the last solve, at this A

  void describe(const StateFields& fields) {
    at.describe(fields.within("at."));
    fields.add("f", f);
    fields.add("g", g);
    fields.add("half_moment", half_moment);
    fields.add("has_converged", has_converged);
  }
};

struct Solutions {
  explicit Solutions(Trials trials_) : trials(std::move(trials_)) {}

  Trials trials;
  std::vector<Solved> solved;  ///< of the starts that went on, as trials.best has them
  std::int64_t iterations = 0;
};

/// Starts are tried on a subsample; the best go on over subsamples that grow to all points.
/// Collective. @throws Stopped.
Solutions solve_from_starts(const Spaces& spaces, const EgwConfig& config,
                            const sinkhorn::SinkhornConfig& inner, double epsilon,
                            CheckpointScope& scope, Context& context);

}  // namespace kantor::egw
