#pragma once

// One pass over the pairs, from a pair of potentials to the next f and the column sums that give
// the next g. Shapes: N_r rows of x on this rank, M points y.

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "distributed/state_fields.hpp"
#include "solvers/eot/sharded_pairs.hpp"

namespace kantor::sinkhorn {

struct Step {
  double epsilon = 0;
  double weight = 1;  ///< of the plain updates (momentum)
};

/// What a sweep gives, reduced over the ranks.
struct Swept {
  bool stop = false;            ///< some rank was asked to stop
  bool save = false;            ///< some rank wants the state saved
  std::vector<double> f;        ///< [N_r] updated
  std::vector<double> columns;  ///< [M] column sums of the plan of (f, g)
  double row_error = 0;         ///< of the plan of (previous f, g), see Sweep::run()
  double column_error = 0;      ///< L1, of the plan of (f, g), where it may be the larger; else 0
  double largest_scale = 1;     ///< no row of the plan of (f, g) exceeds a_i times this
  double log_f_mass = 0;        ///< log sum_i a_i exp(-f_i / rho_x), both marginals free
  bool is_refreshed = false;    ///< what is stored of the pairs was made anew
  double refresh_s = 0;         ///< of this rank: what that took
};

template <class T>
class Sweep {
 public:
  virtual ~Sweep() = default;

  /// The error of rows: sum_i |row_i - a_i exp(-f_i / rho_x)|, what the optimum asks of them; with
  /// exact marginals |row_i - a_i|; with penalties, over the mass of the plan. One pass over the
  /// pairs and one all-reduce of M + 6 numbers.
  /// @param previous_f [N_r], or empty for 0.
  /// @param save       this rank wants the state saved.
  virtual Swept run(const Step& step, std::span<const double> previous_f, std::span<const double> g,
                    bool save);
  /// Whether the pair swept is to be swept again, more exactly, before anything follows from its
  /// error; the next sweep does so then. Asked once after each sweep that told an error.
  virtual bool looks_again(double /*error*/, std::span<const double> /*g*/, bool /*is_last*/) {
    return false;
  }
  /// After g was updated, and so many iterations.
  virtual void updated(std::int64_t /*iterations*/) {}
  /// Between a sweep and the update. @param is_to_look the pair is to be swept again. Local.
  virtual void describe(const StateFields& /*fields*/, bool /*is_to_look*/) {}

 protected:
  Sweep(const ShardedPairs<T>& problem, Context& context) : problem_(problem), context_(context) {}

  /// @param[out] columns [M] this rank's sums, of the updated f. @param[out] swept f the soft
  /// minima, not yet updated.
  virtual void sum_pairs(const Step& step, std::span<const double> g,
                         const kernels::RowUpdate& update, std::span<double> columns,
                         Swept& swept) = 0;

  const ShardedPairs<T>& problem_;
  Context& context_;
};

/// Reads the costs, be they stored or made from points, with one exp per pair.
template <class T>
class DirectSweep final : public Sweep<T> {
 public:
  DirectSweep(const ShardedPairs<T>& problem, Context& context) : Sweep<T>(problem, context) {}

 protected:
  void sum_pairs(const Step& step, std::span<const double> g, const kernels::RowUpdate& update,
                 std::span<double> columns, Swept& swept) override {
    const kernels::UpdatedColumns wanted[] = {{update, columns}};
    this->problem_.transform_to_x(g, step.epsilon, wanted, swept.f);
  }
};

/// As the costs are stored.
template <class T>
std::unique_ptr<Sweep<T>> sweep_of(const ShardedPairs<T>& problem, Context& context);

struct ColumnUpdate {
  bool fell_back =
      false;  ///< columns had all but vanished: the max-stabilised transform was needed
  /// Error of the columns of the plan of (f, updated g), with penalties over its mass; 0 for a
  /// plain update.
  double error = 0;
};

/// g from the column sums. With both marginals free, f and g are then shifted to the best pair of
/// their line (Sejourne, Vialard & Peyre 2022), which leaves the plan.
/// @param[in,out] swept f is shifted. @param[in,out] g [M].
template <class T>
ColumnUpdate update_g(const ShardedPairs<T>& problem, const Step& step, Swept& swept,
                      std::vector<double>& g);

}  // namespace kantor::sinkhorn
