#pragma once

// The semi-dual objective of entropic OT: maximise E_mu f + E_nu f^{c,eps}.
// Shapes: B global batch, P ranks, S = ceil(B / P) slots per rank, D dimensions.

#include <cstdint>
#include <memory>
#include <string>

#include "distributed/objective.hpp"
#include "distributed/shards.hpp"
#include "solvers/eot/pair.hpp"
#include "solvers/neural/marginal_batch.hpp"
#include "solvers/neural/potential.hpp"

namespace kantor::neural {

/// With "global" negatives every y of the batch meets every x of it, whatever the number of ranks:
/// all ranks draw the same sample ids, so only S potential values are gathered and S column weights
/// scattered back. With "local" negatives each rank's block is a batch of its own.
template <class T>
class SemiDual final : public Objective {
 public:
  SemiDual(const NeuralConfig& config, const Pair& pair, const Potential& potential,
           Context& context);

  /// Shapes of the step: one all-gather and one reduce-scatter of S numbers besides the trainer's
  /// all-reduce.
  LocalLoss evaluate(const StepId& id) override;
  std::string remedy(std::size_t group) const override;

 private:
  at::Tensor no_loss() const;

  const Pair& pair_;
  const Potential& potential_;
  Context& context_;
  std::unique_ptr<Communicator> alone_;  ///< the group of "local" negatives
  Communicator& group_;                  ///< the ranks that share a batch
  std::int64_t global_batch_;
  std::int64_t first_draw_;  ///< of the group's batch within the global batch
  std::int64_t group_batch_;
  Shard slots_;         ///< this rank's part of the group's batch
  MarginalBatch<T> x_;  ///< reads the whole batch
  MarginalBatch<T> y_;  ///< reads this rank's slots
  Tape tape_;
  bool is_first_ = true;  ///< step with a batch
};

}  // namespace kantor::neural
