#pragma once

// A fully connected network with one output. Shapes: B points, D inputs.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "distributed/flat_parameters.hpp"
#include "solvers/neural/neural_config.hpp"

namespace kantor::neural {

class Mlp {
 public:
  /// Initial weights follow from the seed by counter-based random numbers; the last layer is zero.
  /// @param options type and device.
  Mlp(const NetworkConfig& config, std::int64_t d, const at::TensorOptions& options,
      std::uint64_t seed);

  /// What a forward pass leaves for the backward pass.
  struct Pass {
    std::vector<at::Tensor> inputs;  ///< of each layer [B, I]
    std::vector<at::Tensor> sums;    ///< of each hidden layer, before its activation [B, O]
  };

  /// @param x [B, D]. @return [B], differentiable by autograd where x or parameters ask for it.
  at::Tensor forward(const at::Tensor& x) const;
  /// The same without autograd. @param[out] pass for backward().
  at::Tensor forward(const at::Tensor& x, Pass& pass) const;
  /// Adds sum_b cotangents_b d output_b / d parameter to the gradient of each parameter. By hand:
  /// on networks of this size autograd's own work takes a good part of a step, and its GEMMs are
  /// ATen's. @param cotangents [B].
  void backward(const Pass& pass, const at::Tensor& cotangents) const;

  /// "layers.0.weight" [O, I], "layers.0.bias" [O], ..
  std::vector<NamedParameter> parameters() const;

 private:
  struct Layer {
    at::Tensor weight;  ///< [O, I]
    at::Tensor bias;    ///< [O]
  };
  struct Activation {
    at::Tensor (*value)(const at::Tensor& sums);
    at::Tensor (*backward)(const at::Tensor& cotangents, const at::Tensor& sums);
  };
  static Activation activation_named(const std::string& name);

  Activation activation_;
  std::vector<Layer> layers_;
};

}  // namespace kantor::neural
