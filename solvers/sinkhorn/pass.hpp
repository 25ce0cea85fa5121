#pragma once

// One iteration in two halves: a pass over the pairs that updates f and sums the columns of the
// plan, and the update of g from these sums. Shapes: N_r rows of x on this rank, M points y.

#include <span>
#include <vector>

#include "runtime/kernels/absorbed_kernel.hpp"
#include "solvers/eot/sharded_pairs.hpp"

namespace kantor::sinkhorn {

struct Step {
  double epsilon = 0;
  double weight = 1;  ///< of the plain updates (momentum)
};

/// What a pass gives, reduced over the ranks.
struct Pass {
  bool stop = false;            ///< some rank was asked to stop
  bool save = false;            ///< some rank wants the state saved
  std::vector<double> f;        ///< [N_r] updated
  std::vector<double> columns;  ///< [M] column sums of the plan of (f, g)
  double previous_error = 0;    ///< of the rows of the plan of (previous f, g), see row_target
  double largest_scale = 1;     ///< no row of the plan of (f, g) exceeds a_i times this
  double log_f_mass = 0;        ///< log sum_i a_i exp(-f_i / rho_x), both marginals free
  bool is_refreshed = false;    ///< the kernel was made anew, at g
  double refresh_s = 0;         ///< of this rank: what that took
};

/// The error of rows: sum_i |row_i - a_i exp(-f_i / rho_x)|, what the optimum asks of them; with
/// exact marginals |row_i - a_i|; with penalties, over the mass of the plan. One exp per pair and
/// one all-reduce of M + 6 numbers.
/// @param previous_f [N_r], or empty for 0.
/// @param save       this rank wants the state saved.
/// @param kernel     null, or read in place of costs and points, without an exp, where the step is
///                   takes_kernel(); made anew when g has drifted from the potentials in it.
template <class T>
Pass sweep(const ShardedPairs<T>& problem, const Step& step, std::span<const double> previous_f,
           std::span<const double> g, bool save, kernels::AbsorbedKernel<T>* kernel,
           Context& context);

/// Whether the step is one between exact marginals at the problem's own epsilon; for a kernel in
/// codes, whose columns are exact for plain updates, also a plain one.
template <class T>
bool takes_kernel(const ShardedPairs<T>& problem, const Step& step);

struct ColumnUpdate {
  bool fell_back =
      false;  ///< columns had all but vanished: the max-stabilised transform was needed
  /// Of the columns of the plan of (f, updated g), with penalties over its mass; 0 for a plain
  /// update.
  double error = 0;
};

/// g from the column sums. With both marginals free, f and g are then shifted to the best pair of
/// their line (Sejourne, Vialard & Peyre 2022), which leaves the plan.
/// @param[in,out] pass f is shifted. @param[in,out] g [M].
template <class T>
ColumnUpdate update_g(const ShardedPairs<T>& problem, const Step& step, Pass& pass,
                      std::vector<double>& g);

}  // namespace kantor::sinkhorn
