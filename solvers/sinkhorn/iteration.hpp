#pragma once

// Sharded log-domain Sinkhorn: the loop that solves, and that turns learned potentials into a
// certificate. Shapes: N_r rows of x on this rank, M points y.

#include <cstdint>
#include <vector>

#include "distributed/checkpoint_scope.hpp"
#include "solvers/eot/sharded_pairs.hpp"
#include "solvers/sinkhorn/momentum.hpp"

namespace kantor::sinkhorn {

/// Iteration t works at epsilon * max(start * factor^t, 1); the potentials stay as they are.
struct EpsilonDecay {
  double start = 1;
  double factor = 0.9;

  double multiple(std::int64_t iteration) const;
};

struct Stopping {
  double tolerance = 0;  ///< error of the marginals, see Report; 0 = never
  std::int64_t max_iterations = 0;
  Momentum momentum = {};
  EpsilonDecay decay = {};

  /// Whether what so many iterations gave was found at the epsilon of the problem.
  bool is_at_epsilon(std::int64_t iterations) const { return decay.multiple(iterations - 1) == 1; }
  /// For progress: 0 where the tolerance ends it, nobody knows when.
  std::int64_t known_iterations() const { return tolerance > 0 ? 0 : max_iterations; }
};

struct Report {
  bool converged = false;
  std::int64_t iterations = 0;
  std::int64_t fallbacks = 0;  ///< iterations whose g-update needed the max-stabilised form
  /// Error of the potentials returned, at the problem's epsilon: L1 of the x-marginal, or if it is
  /// larger and the kernel was in codes, of the y-marginal with the next f; with momentum or
  /// penalties, plus that of the y-marginal, which is then not exact; with penalties, distances to
  /// what the potentials ask of the marginals, a_i exp(-f_i / rho_x) and b_j exp(-g_j / rho_y),
  /// over the mass of the plan.
  double marginal_error = 0;
  double first_error = 0;  ///< of the potentials given
  /// Near max_iterations: the level of the error has not fallen by a tenth from the third quarter
  /// of them to the last, of 20 at least each. For advice; not kept by checkpoints of the loop.
  bool is_stalled = false;
  /// Mean of this rank, in the problem's storage, without the first; 0 if there were none.
  double seconds_per_iteration = 0;
  std::int64_t refreshes = 0;  ///< of the absorbed kernel
  double refresh_s = 0;        ///< in all
};

/// Whether the run goes on from within the loop: a checkpoint of step 0 may hold no state at all.
bool is_under_way(const CheckpointScope& scope);

/// Iterates f, then g, from a pair with exact y-marginal (g the c-transform of f), or from g alone.
/// One pass over the pairs (one exp each) and one all-reduce of M + 6 numbers per iteration: the
/// row sums of the plan give f and the error of the previous pair, its column sums then give g.
/// @param[in,out] f [N_r]; empty = a start from g, whose error is not measured.
/// @param[in,out] g [M], the same on all ranks.
/// @param label     on the progress line and in metrics.
/// @param scope     where the state goes and comes from, to the bit.
/// @throws NumericError (on all ranks) if the error is NaN; Stopped.
/// Source: Peyre & Cuturi 2019, section 4.4; stops on rows, as the f-update comes first.
template <class T>
Report iterate(const ShardedPairs<T>& problem, const Stopping& stopping, std::vector<double>& f,
               std::vector<double>& g, Context& context, const char* label, CheckpointScope& scope);
/// The same of a loop whose state nobody keeps.
template <class T>
Report iterate(const ShardedPairs<T>& problem, const Stopping& stopping, std::vector<double>& f,
               std::vector<double>& g, Context& context, const char* label) {
  CheckpointScope nowhere;
  return iterate(problem, stopping, f, g, context, label, nowhere);
}

}  // namespace kantor::sinkhorn
