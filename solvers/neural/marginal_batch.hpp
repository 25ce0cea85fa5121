#pragma once

// One marginal's part of a batch. Shapes: W rows drawn, R rows read, D dimensions.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

#include "distributed/staged_tensor.hpp"
#include "runtime/random/sampler.hpp"
#include "solvers/eot/pair.hpp"

namespace kantor::neural {

/// The draws of one marginal, with its held-out rows kept out.
random::Sampler training_sampler(const Pair& pair, std::size_t marginal, std::int64_t seed);

/// Rows that all ranks of a group draw alike and of which this rank reads its own, minus a centre.
/// In buffers that stay: a step fills those of the host, then sends them.
template <class T>
class MarginalBatch {
 public:
  /// @param size of the group's batch, of which [first, first + count) is read on this rank.
  MarginalBatch(const Pair& pair, std::size_t marginal, std::int64_t seed, std::int64_t size,
                std::int64_t first, std::int64_t count, const at::Device& device);

  /// On the host. @param first_draw of the group's batch.
  void draw(std::int64_t first_draw, std::span<const double> centre, Communicator& world);
  /// Whether what was drawn weighs anything: without mass there is no batch.
  bool has_mass() const { return has_mass_; }
  /// What was drawn, to the device: once for each draw, before what is below is used.
  void send();

  const at::Tensor& points() const { return points_; }    ///< [R, D] minus the centre
  const at::Tensor& weights() const { return weights_; }  ///< [W] of the whole batch, summing to 1
  at::Tensor read_weights() const { return weights_.narrow(0, first_read_, num_read_); }  ///< [R]

 private:
  const data::Marginal& marginal_;
  random::Sampler sampler_;
  std::int64_t first_drawn_;        ///< within the group's batch: weights need all of its rows
  std::int64_t first_read_;         ///< within the rows drawn
  std::int64_t num_read_;           ///< R
  std::vector<std::int64_t> rows_;  ///< [W]
  StagedTensor staged_weights_;     ///< [W]; empty if all are alike
  StagedTensor staged_points_;      ///< [R, D]
  bool has_mass_ = true;

  at::Tensor weights_;  ///< float64
  at::Tensor points_;
};

}  // namespace kantor::neural
