#pragma once

// The solves that are done, and how a run goes on from them. Shapes: N points x, M points y.

#include <cstdint>
#include <vector>

#include "distributed/context.hpp"

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
};

struct SolvedSteps {
  std::vector<double> planned_epsilons;  ///< one per solve; empty: problem.epsilon's
  std::vector<SolvedStep> steps;

  std::int64_t iterations() const;
  std::int64_t all_iterations() const;  ///< those of the cloud against itself too
};

/// Lets the loop of each solve save and restore its state as part of the whole. Moved clouds are
/// not saved: they follow from the data and the potentials so far, by one pass each, to the bit.
class CourseCheckpoints final : public Checkpoints {
 public:
  /// @param keep where the run's checkpoints go.
  explicit CourseCheckpoints(Checkpoints& keep) : keep_(keep) {}

  /// What the run goes on from; nothing solved at a fresh start. @throws DataError.
  SolvedSteps restored_course(std::int64_t n, std::int64_t m) const;
  /// Nothing is solved yet: a run that is stopped now begins again.
  void save_begun();
  /// All is solved, and being evaluated. @param f [N] of the last solve.
  void save_solved(const std::vector<double>& f);
  /// That f, of a run that goes on from there; else empty. @throws DataError.
  std::vector<double> restored_f(std::int64_t n) const;
  /// The next solve starts; its loop counts from 0.
  void start_step(const SolvedSteps& course) { course_ = &course; }

  /// The state of this solve, if the run stopped in it.
  const checkpoint::Snapshot* restored() const override;
  bool due(std::int64_t step) override;
  void save(checkpoint::Snapshot state) override;

 private:
  Checkpoints& keep_;
  const SolvedSteps* course_ = nullptr;
  mutable checkpoint::Snapshot inner_;
};

}  // namespace kantor::progot
