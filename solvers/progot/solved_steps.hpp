#pragma once

// The solves that are done, and how a run goes on from them. Shapes: N points x, M points y.

#include <cstdint>
#include <string>
#include <vector>

#include "distributed/checkpoint_scope.hpp"
#include "solvers/progot/progot_config.hpp"

namespace kantor::progot {

/// One solve that is done; the same on all ranks.
struct SolvedStep {
  double epsilon = 0;
  double alpha = 0;
  std::int64_t iterations = 0;
  std::int64_t self_iterations = 0;  ///< of the moved cloud against itself; debiased only
  bool converged = false;
  std::vector<double> g = {};       ///< [M], gauge sum_i a_i f_i = 0
  std::vector<double> f_self = {};  ///< [N] of the moved cloud against itself; debiased only

  void describe(const StateFields& fields);
};

struct SolvedSteps {
  std::vector<double> planned_epsilons;  ///< one per solve; empty: problem.epsilon's
  std::vector<SolvedStep> steps;

  std::int64_t iterations() const;
  std::int64_t all_iterations() const;  ///< those of the cloud against itself too
};

/// What the run goes on from; nothing solved at a fresh start. Moved clouds are not saved: they
/// follow from the data and the potentials so far, by one pass each, to the bit. @throws DataError.
SolvedSteps restored_steps(CheckpointScope& run, const ProgotConfig& config, std::int64_t n,
                           std::int64_t m);

/// Names of step k, and of what it has found.
std::string name_of_step(std::size_t k);

}  // namespace kantor::progot
