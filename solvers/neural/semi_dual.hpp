#pragma once

// The semi-dual objective of entropic OT: maximise E_mu f + E_nu f^{c,eps}.
// Shapes: B global batch, P ranks, S = ceil(B / P) slots per rank, D dimensions.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "distributed/objective.hpp"
#include "distributed/shards.hpp"
#include "solvers/device/tensor_reduction.hpp"
#include "solvers/eot/pair.hpp"
#include "solvers/neural/marginal_batch.hpp"
#include "solvers/neural/pair_lift.hpp"
#include "solvers/neural/potential.hpp"

namespace kantor::neural {

/// With "global" negatives every y of the batch meets every x of it, whatever the number of ranks:
/// all ranks draw the same sample ids, so only S potential values are gathered and S column weights
/// scattered back. With "local" negatives each rank's block is a batch of its own.
template <class T>
class SemiDual final : public Objective {
 public:
  /// @param lift of the points whose costs the pair's kernel makes; null: the pair's own.
  SemiDual(const NeuralConfig& config, const Pair& pair, const Potential& potential,
           Context& context, const PairLift* lift = nullptr);

  /// Shapes of the step: one all-gather and one reduce-scatter of S numbers besides the trainer's
  /// all-reduce.
  LocalLoss evaluate(const StepId& id) override;
  std::string remedy(std::size_t group) const override;

  /// This rank's part of E_P[x y^T] under the plan of the potential on the batch of a step, points
  /// as the batch has them. @return [D_x, D_y] float64; nothing of a batch without mass.
  std::optional<at::Tensor> cross_moment(const StepId& id);

 private:
  /// A batch whose potentials are known on all ranks that share it.
  struct Drawn {
    at::Tensor x;      ///< [B, D]
    at::Tensor y;      ///< [B/P, D]
    at::Tensor a;      ///< [B]
    at::Tensor b;      ///< [B/P]
    at::Tensor f;      ///< [B/P] of this rank's x
    at::Tensor all_f;  ///< [B]
  };
  /// Nothing of a batch that no one has, or without mass.
  std::optional<Drawn> draw(const StepId& id);
  TensorReduction reduction_of(const Drawn& drawn) const;
  at::Tensor own(const at::Tensor& all) const {
    return all.narrow(0, slots_.first, slots_.count());
  }
  /// What part of the global batch the group has.
  double share() const {
    return static_cast<double>(group_batch_) / static_cast<double>(global_batch_);
  }
  at::Tensor no_loss() const;

  const Pair& pair_;
  const Potential& potential_;
  Context& context_;
  const PairLift* lift_;                 ///< null: none
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
