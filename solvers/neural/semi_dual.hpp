#pragma once

// The semi-dual objective of entropic OT: maximise E_mu f + E_nu f^{c,eps}.
// Shapes: B global batch, P ranks, S = ceil(B / P) slots per rank, D dimensions.

#include <cstdint>
#include <memory>
#include <vector>

#include "distributed/shards.hpp"
#include "distributed/trainer.hpp"
#include "runtime/random/sampler.hpp"
#include "solvers/neural/potential.hpp"
#include "solvers/problem/problem.hpp"

namespace kantor::neural {

/// The draws of one marginal, with its held-out rows kept out.
random::Sampler training_sampler(const Problem& problem, std::size_t marginal, std::int64_t seed);

/// With "global" negatives every y of the batch meets every x of it, whatever the number of ranks:
/// all ranks draw the same sample ids, so only S potential values are gathered and S column weights
/// scattered back. With "local" negatives each rank's block is a batch of its own.
template <class T>
class SemiDual final : public Objective {
 public:
  SemiDual(const NeuralConfig& config, const Problem& problem, const Potential& potential,
           Context& context);

  /// Shapes of the step: one all-gather and one reduce-scatter of S numbers besides the trainer's
  /// all-reduce.
  Share evaluate(std::int64_t step) override;

 private:
  /// Draws of one marginal in this step.
  struct Draw {
    std::vector<std::int64_t> rows;  ///< global: [B]; local: this rank's slots
    std::vector<double> weights;     ///< the same size, summing to 1
    double mass = 0;                 ///< of these rows in the marginal; 0: no batch at all
  };
  Draw draw(random::Sampler& sampler, const data::Marginal& marginal, std::int64_t step) const;
  static at::Tensor weights_of(const Draw& draw, const at::Device& device);  ///< [B], float64
  /// On the potential's device.
  at::Tensor read(const data::Marginal& marginal, std::span<const std::int64_t> rows) const;

  const Problem& problem_;
  const Potential& potential_;
  Context& context_;
  std::unique_ptr<Communicator> alone_;  ///< the group of "local" negatives
  Communicator& group_;                  ///< the ranks that share a batch
  std::int64_t first_draw_;              ///< of the group's batch within the global batch
  std::int64_t group_batch_;
  std::int64_t global_batch_;
  Shard slots_;  ///< this rank's part of the group's batch
  random::Sampler x_sampler_;
  random::Sampler y_sampler_;
};

}  // namespace kantor::neural
