#pragma once

// A solver with a kind of problem of its own, in a folder of its own: the worked example of
// CONTRIBUTING.md. The potentials of a problem of kind "toy" are solved for by Sinkhorn, first at a
// larger epsilon, and then learned by a network each, which train in turns.

#include "distributed/trainer_config.hpp"
#include "solvers/neural/neural_config.hpp"
#include "solvers/problem/kind.hpp"
#include "solvers/solver.hpp"

namespace kantor::toy {

/// What a problem of this kind has beside clouds, a cost and epsilon.
struct ToyTerms {
  double anneal = 4;  ///< epsilon of the first solve, as a multiple
};
inline const ToyTerms& terms_of(const Problem& problem) {
  return std::any_cast<const ToyTerms&>(std::get<std::any>(problem.terms));
}

/// [solver.toy]
struct ToyConfig {
  TrainerConfig training;  ///< steps, learning_rate, ... in the same table
  neural::NetworkConfig network = {.width = {16}};
  std::int64_t repeats = 2;  ///< steps of the first network to one of the second

  void describe(config::Fields& fields);
};

extern const KindEntry kKind;
extern const TableEntry kTable;
extern const SolverEntry kSolver;

}  // namespace kantor::toy
