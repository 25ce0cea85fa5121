#include "solvers/neural/mlp.hpp"

#include <torch/torch.h>

#include <cmath>

#include "runtime/core/error.hpp"
#include "runtime/random/philox.hpp"
#include "solvers/neural/affine.hpp"

namespace kantor::neural {

namespace {

/// Uniform in +-sqrt(3 gain / fan_in): variance gain / fan_in, so that activations keep their size.
at::Tensor random_weight(std::int64_t out, std::int64_t in, std::uint64_t seed, std::uint32_t layer,
                         const at::TensorOptions& options) {
  constexpr double kGain = 2;  // half of the units are off, more or less
  const random::Stream stream(seed, random::Purpose::initial_weights, layer);
  const double bound = std::sqrt(3 * kGain / static_cast<double>(in));
  at::Tensor weight = torch::empty({out, in}, torch::kFloat64);
  double* values = weight.data_ptr<double>();
  for (std::int64_t i = 0; i < weight.numel(); ++i) {
    values[i] = bound * (2 * stream.uniform(static_cast<std::uint64_t>(i)) - 1);
  }
  return weight.to(options, /*non_blocking=*/false, /*copy=*/true);
}

}  // namespace

Mlp::Activation Mlp::activation_named(const std::string& name) {
  using T = at::Tensor;
  if (name == "silu") {
    return {[](const T& s) { return at::silu(s); },
            [](const T& c, const T& s) { return at::silu_backward(c, s); }};
  }
  if (name == "relu") {
    return {[](const T& s) { return at::relu(s); },
            [](const T& c, const T& s) { return at::threshold_backward(c, s, 0); }};
  }
  if (name == "gelu") {
    return {[](const T& s) { return at::gelu(s); },
            [](const T& c, const T& s) { return at::gelu_backward(c, s); }};
  }
  if (name == "tanh") {
    return {[](const T& s) { return at::tanh(s); },
            [](const T& c, const T& s) { return at::tanh_backward(c, at::tanh(s)); }};
  }
  KANTOR_CHECK(name == "softplus", "unknown activation ", name);
  return {[](const T& s) { return at::softplus(s); },
          [](const T& c, const T& s) { return at::softplus_backward(c, s, 1, 20); }};
}

Mlp::Mlp(const NetworkConfig& config, std::int64_t d, const at::TensorOptions& options,
         std::uint64_t seed)
    : config_(config), activation_(activation_named(config.activation)) {
  std::int64_t in = d;
  for (const std::int64_t out : config.width) {
    const auto number = static_cast<std::uint32_t>(layers_.size());
    layers_.push_back(
        {random_weight(out, in, seed, number, options), torch::zeros({out}, options)});
    in = out;
  }
  layers_.push_back({torch::zeros({1, in}, options), torch::zeros({1}, options)});
}

at::Tensor Mlp::forward(const at::Tensor& x) const {
  at::Tensor hidden = x;
  for (std::size_t k = 0; k + 1 < layers_.size(); ++k) {
    hidden = activation_.value(affine(hidden, layers_[k].weight, layers_[k].bias));
  }
  return affine(hidden, layers_.back().weight, layers_.back().bias).squeeze(1);
}

at::Tensor Mlp::forward(const at::Tensor& x, Tape& tape) const {
  const torch::NoGradGuard no_grad;
  tape = {x};
  for (std::size_t k = 0; k + 1 < layers_.size(); ++k) {
    tape.push_back(affine(tape.back(), layers_[k].weight, layers_[k].bias));
    tape.push_back(activation_.value(tape.back()));
  }
  return affine(tape.back(), layers_.back().weight, layers_.back().bias).squeeze(1);
}

void Mlp::backward(const Tape& tape, const at::Tensor& cotangents) const {
  const torch::NoGradGuard no_grad;
  at::Tensor upper = cotangents.unsqueeze(1);  // of the layer's sums [B, O]
  for (std::size_t k = layers_.size(); k-- > 0;) {
    const Layer& layer = layers_[k];
    // (input^T)(upper^T)^T = [I, O]: the strides that GEMMs take without another copy.
    layer.weight.mutable_grad().add_(affine(tape[2 * k].t(), upper.t()).t());
    layer.bias.mutable_grad().add_(upper.sum(0));
    if (k > 0) upper = activation_.backward(affine(upper, layer.weight.t()), tape[2 * k - 1]);
  }
}

std::vector<ParameterShape> Mlp::parameter_shapes(const NetworkConfig& config, std::int64_t d) {
  std::vector<ParameterShape> result;
  std::int64_t in = d;
  const auto add = [&](std::int64_t out) {
    const std::string layer = concat("layers.", result.size() / 2);
    result.push_back({layer + ".weight", {out, in}});
    result.push_back({layer + ".bias", {out}});
    in = out;
  };
  for (const std::int64_t units : config.width) add(units);
  add(1);
  return result;
}

std::vector<NamedParameter> Mlp::parameters() const {
  std::vector<NamedParameter> result;
  for (const auto& [name, shape] : parameter_shapes(config_, layers_.front().weight.size(1))) {
    const Layer& layer = layers_[result.size() / 2];
    result.push_back({name, shape.size() == 2 ? layer.weight : layer.bias});
  }
  return result;
}

Record Mlp::describe() const {
  Record network;
  network.set("kind", config_.kind);
  network.set("width", config_.width);
  network.set("activation", config_.activation);
  return network;
}

}  // namespace kantor::neural
