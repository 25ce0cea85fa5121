#include "distributed/adam.hpp"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace kantor {

double learning_rate_at(const OptimizerConfig& config, std::int64_t step, std::int64_t num_steps) {
  const auto warmup = static_cast<double>(std::min(config.warmup_steps, num_steps));
  const auto now = static_cast<double>(step);
  if (now < warmup) return config.learning_rate * (now + 1) / warmup;
  const double remaining = std::max(1.0, static_cast<double>(num_steps) - warmup);
  const double cosine =
      0.5 * (1 + std::cos(std::numbers::pi * std::min(1.0, (now - warmup) / remaining)));
  return config.learning_rate *
         (config.final_learning_rate + (1 - config.final_learning_rate) * cosine);
}

Adam::Adam(const OptimizerConfig& config, const at::Tensor& values)
    : config_(config),
      values_(values),
      first_moment_(torch::zeros_like(values)),
      second_moment_(torch::zeros_like(values)),
      num_updates_(torch::zeros({}, values.options().dtype(at::kFloat))) {}

void Adam::update(const at::Tensor& gradients, double learning_rate, const at::Tensor& skip) {
  constexpr double kEpsilon = 1e-8;
  num_updates_.add_(1).sub_(skip);
  at::_fused_adamw_({values_}, {gradients}, {first_moment_}, {second_moment_}, {}, {num_updates_},
                    learning_rate, config_.betas[0], config_.betas[1], config_.weight_decay,
                    kEpsilon,
                    /*amsgrad=*/false, /*maximize=*/false, /*grad_scale=*/{}, skip);
}

void Adam::describe(const StateFields& fields) {
  auto num_updates = num_updates_.item<std::int64_t>();
  fields.add("adam.updates", num_updates);
  num_updates_.fill_(num_updates);
  fields.add("adam.first_moment", first_moment_);
  fields.add("adam.second_moment", second_moment_);
}

WeightAverage::WeightAverage(double decay, const at::Tensor& values) : decay_(decay) {
  if (decay_ == 0) return;
  average_ = values.clone();
  num_updates_ = torch::zeros({}, values.options().dtype(at::kDouble));
}

void WeightAverage::update(const at::Tensor& values, const at::Tensor& skip) {
  if (decay_ == 0) return;
  num_updates_.add_(1).sub_(skip);
  const at::Tensor decay = ((num_updates_ + 1) / (num_updates_ + 10)).clamp_max_(decay_);
  average_.lerp_(values, ((1 - decay) * (1 - skip)).to(values.scalar_type()));
}

void WeightAverage::copy_to(const at::Tensor& values) const {
  if (decay_ > 0) values.copy_(average_);
}

void WeightAverage::describe(const StateFields& fields) {
  if (decay_ == 0) return;
  auto num_updates = num_updates_.item<std::int64_t>();
  fields.add("average.updates", num_updates);
  num_updates_.fill_(num_updates);
  fields.add("average", average_);
}

}  // namespace kantor
