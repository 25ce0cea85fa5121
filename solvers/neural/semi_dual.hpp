#pragma once

// The semi-dual objective of entropic OT: maximise E_mu f + E_nu f^{c,eps}.
// Shapes: B global batch, P ranks, S = ceil(B / P) slots per rank, D dimensions.

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "distributed/shards.hpp"
#include "distributed/staged_tensor.hpp"
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
  /// One marginal's part of a step, in buffers that stay. Shapes: W rows drawn, R rows read.
  struct Batch {
    /// @param size of the group's batch, of which [first, first + count) is read on this rank.
    Batch(const Problem& problem, std::size_t marginal, std::int64_t seed, std::int64_t size,
          std::int64_t first, std::int64_t count, const at::Device& device);
    /// On the host. @param first_draw of the group's batch.
    void draw(std::int64_t first_draw, std::span<const double> centre, Communicator& world);
    /// What was drawn, to the device: once for each draw, before what is below is used.
    void send();

    const data::Marginal& marginal;
    random::Sampler sampler;
    std::int64_t first_drawn;        ///< within the group's batch: weights need all of its rows
    std::int64_t first_read;         ///< within the rows drawn
    std::int64_t num_read;           ///< R
    std::vector<std::int64_t> rows;  ///< [W]
    StagedTensor staged_weights;     ///< [W]; empty if all are alike
    StagedTensor staged_points;      ///< [R, D]
    bool has_mass = true;            ///< false: no batch at all

    at::Tensor weights;  ///< [W] float64, of the whole batch summing to 1
    at::Tensor points;   ///< [R, D] minus the centre
    at::Tensor read_weights() const { return weights.narrow(0, first_read, num_read); }
  };

  at::Tensor no_loss() const;

  const Problem& problem_;
  const Potential& potential_;
  Context& context_;
  std::unique_ptr<Communicator> alone_;  ///< the group of "local" negatives
  Communicator& group_;                  ///< the ranks that share a batch
  std::int64_t global_batch_;
  std::int64_t first_draw_;  ///< of the group's batch within the global batch
  std::int64_t group_batch_;
  Shard slots_;  ///< this rank's part of the group's batch
  Batch x_;      ///< reads the whole batch
  Batch y_;      ///< reads this rank's slots
  Mlp::Pass pass_;
  bool is_first_ = true;  ///< step with a batch
};

}  // namespace kantor::neural
