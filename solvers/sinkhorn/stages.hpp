#pragma once

// Solves of one run that follow each other: the state of the one at work is saved with what those
// before it have found. Shapes: N points x, M points y.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "distributed/context.hpp"
#include "solvers/sinkhorn/iteration.hpp"

namespace kantor::sinkhorn {

/// A solve that has ended; the same on all ranks.
struct Ended {
  Report report;
  std::vector<double> f;  ///< [N]
  std::vector<double> g;  ///< [M]; empty for a cloud against itself
};

/// The steps of a checkpoint count the iterations of all solves so far.
class Stages final : public Checkpoints {
 public:
  /// @param keep where the run's checkpoints go.
  explicit Stages(Checkpoints& keep) : keep_(keep) {}

  /// The next solve; of a run that goes on from a later one, what it has found. Collective.
  /// @param name  the same in every run.
  /// @param m     0 for a cloud against itself.
  /// @param solve given where its loop saves and restores its state.
  /// @throws Stopped, at the step of the run.
  Ended solve(const std::string& name, std::int64_t n, std::int64_t m, Communicator& world,
              const std::function<Ended(Checkpoints&)>& solve);

  /// What has been solved so far, while it is evaluated: a run goes on from there.
  void save_done() { keep_.save(done_); }
  /// Of what has been solved so far.
  std::int64_t step() const { return done_.metadata.step; }

  /// The state of this solve's loop, if the run stopped in it.
  const checkpoint::Snapshot* restored() const override;
  bool due(std::int64_t step) override;
  void save(checkpoint::Snapshot state) override;

 private:
  Checkpoints& keep_;
  std::string name_;           ///< of the solve at work; "" for the first, which is saved as it is
  checkpoint::Snapshot done_;  ///< what the solves before it have found, and their steps
  mutable checkpoint::Snapshot inner_;
};

}  // namespace kantor::sinkhorn
