#pragma once

// All parameters of the networks in one buffer, all gradients in another, so that a step needs one
// all-reduce, one update and one norm. Shapes: P parameters in all, padding included.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "distributed/communicator.hpp"

namespace kantor {

struct NamedParameter {
  std::string name;
  at::Tensor tensor;  ///< leaf that requires a gradient
};

/// A rank's part of the loss of a step.
struct LocalLoss {
  at::Tensor value;  ///< additive, the sum over ranks is the loss: one float64, beside parameters
  double count = 0;  ///< samples of this rank
};

/// What rides behind the gradients in the one all-reduce of a step: sums over the ranks.
struct StepTail {
  double loss = 0;       ///< summed in double, down to 2^-72
  double count = 0;      ///< samples, exact up to 2^24
  double nonfinite = 0;  ///< ranks that met a NaN or an infinity
  double stop = 0;       ///< ranks that were asked to stop
};

class FlatParameters {
 public:
  /// Re-seats every tensor and its gradient as views of two flat buffers, at 256-byte offsets.
  /// All tensors have one type (convert before), float32 or float64, and
  /// one device.
  explicit FlatParameters(std::vector<NamedParameter> parameters);

  const std::vector<NamedParameter>& parameters() const { return parameters_; }
  const at::Tensor& values() const { return values_; }        ///< [P]
  const at::Tensor& gradients() const { return gradients_; }  ///< [P]

  /// Never through Optimizer::zero_grad, which cannot detach views.
  void zero_gradients();
  /// ONE sum over ranks of gradients and tail; nothing is read on the host.
  /// @param stop this rank was asked to stop.
  void reduce(Communicator& world, const LocalLoss& mine, bool stop = false);
  const at::Tensor& tail() const { return tail_; }  ///< [kTailSize], as reduce() left it
  static constexpr std::int64_t kTailSize = 16;
  /// What a tail says. @param numbers [kTailSize], as double.
  static StepTail unpack(std::span<const double> numbers);
  /// Whether the tail and a norm of the gradients are finite and no rank says otherwise: one
  /// boolean, beside the parameters.
  at::Tensor is_finite(const at::Tensor& norm) const;
  /// Throws if a backward pass has replaced a gradient's storage (create_graph does), or someone a
  /// value's.
  void check_views() const;
  /// "layers.0.weight [128, 16], layers.0.bias [128], .."
  std::string description() const;
  /// Copies rank 0's values to all ranks.
  void broadcast(Communicator& world);

 private:
  std::vector<NamedParameter> parameters_;
  std::vector<std::int64_t> offsets_;  ///< of each parameter, in elements
  at::Tensor values_;
  at::Tensor gradients_with_tail_;
  at::Tensor gradients_;
  at::Tensor tail_;
  at::Tensor digit_units_;  ///< of the loss in the tail, float64
};

}  // namespace kantor
