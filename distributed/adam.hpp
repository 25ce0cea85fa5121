#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "distributed/state_fields.hpp"
#include "distributed/trainer_config.hpp"

namespace kantor {

/// Learning rate of a step: linear warm-up to the peak, then a cosine down to the final fraction.
/// @param num_steps over which the schedule goes.
double learning_rate_at(const OptimizerConfig& config, std::int64_t step, std::int64_t num_steps);

/// Adam with decoupled weight decay (Loshchilov & Hutter 2019) over one flat buffer: one fused
/// pass.
class Adam {
 public:
  /// @param values [P], updated in place by update().
  Adam(const OptimizerConfig& config, const at::Tensor& values);
  /// @param gradients [P].
  /// @param skip one float32 beside them: 1 leaves everything as it is, 0 does not.
  void update(const at::Tensor& gradients, double learning_rate, const at::Tensor& skip);

  void describe(const StateFields& fields);

 private:
  OptimizerConfig config_;
  at::Tensor values_;
  at::Tensor first_moment_;   ///< [P]
  at::Tensor second_moment_;  ///< [P]
  at::Tensor num_updates_;    ///< one number, as the fused kernel wants it
};

/// Exponential average of the weights, with the shorter memory of a young average at the start.
class WeightAverage {
 public:
  WeightAverage(double decay, const at::Tensor& values);
  /// @param skip as for Adam.
  void update(const at::Tensor& values, const at::Tensor& skip);
  /// Puts the average in place of the values (no-op when decay is 0).
  void copy_to(const at::Tensor& values) const;

  void describe(const StateFields& fields);

 private:
  double decay_;
  at::Tensor num_updates_;  ///< one float64
  at::Tensor average_;
};

}  // namespace kantor
