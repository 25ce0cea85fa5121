#pragma once

// The matrix A and the plan by turns: each the best one for the other, so that the value falls.
// Shapes: N_r points x of DX coordinates on this rank, M points y of DY; A [DX, DY].

#include <cstdint>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "solvers/egw/egw_config.hpp"
#include "solvers/egw/spaces.hpp"
#include "solvers/eot/oracle.hpp"

namespace kantor::egw {

/// Where an alternation is; replicated.
struct Iterate {
  Iterate(std::vector<double> alignment_, std::int64_t m_)
      : alignment(std::move(alignment_)), m(m_) {}

  std::vector<double> alignment;  ///< A
  std::int64_t m;
  std::vector<double> g;        ///< [M] of the lifted problem before; empty: none
  std::int64_t step = 0;        ///< how often A has changed
  std::int64_t iterations = 0;  ///< of Sinkhorn, in all
  double change = std::numeric_limits<double>::infinity();  ///< of A, over the radius
  std::vector<double> path;    ///< update = "accelerated": weighted sum of its gradients; or empty
  std::vector<double> origin;  ///< and where it began

  void describe(const StateFields& fields);
};

/// A plan that is the best one for A, or near it.
struct Alignment {
  EotOracle::Solution solution;
  std::vector<double> half_moment;  ///< [DX, DY] E[x y^T] / 2: A itself where it is stationary
  double lower = 0;                 ///< no plan is worth less at this A
};

class Alternation {
 public:
  /// @param label   on lines of progress. All must outlive it.
  /// @param scope   of this alternation alone.
  Alternation(const Spaces& spaces, const EgwConfig& config, const sinkhorn::SinkhornConfig& inner,
              double epsilon, const char* label, CheckpointScope& scope, Context& context);

  bool is_done(const Iterate& at) const;
  /// One solve, one pass for E[x y^T], one update of A. Collective.
  /// @throws Stopped.
  Alignment step(Iterate& at);
  /// Steps until done, from there or from where the run was stopped, then the solve at A, to the
  /// tolerance of `inner`.
  Alignment run(Iterate& at);
  /// Where the plan of A itself is evaluated: in double, objective and dual value of the lifted
  /// problem.
  PlanValue value(const Alignment& alignment) { return oracle_->value(alignment.solution); }

 private:
  double epsilon_of(std::int64_t step) const;
  /// @throws Stopped.
  void hear_stop(Iterate& at);
  Alignment solve(Iterate& at, double epsilon, double tolerance, CheckpointScope& scope);
  void update(Iterate& at, const std::vector<double>& half_moment) const;

  const Spaces& spaces_;
  const EgwConfig& config_;
  const sinkhorn::SinkhornConfig& inner_;
  double epsilon_;
  const char* label_;
  CheckpointScope& scope_;
  Context& context_;
  Context solving_;        ///< its solves have lines of progress where they take long
  std::vector<double> x_;  ///< [N_r, DX] about the mean
  std::unique_ptr<EotOracle> oracle_;
};

}  // namespace kantor::egw
