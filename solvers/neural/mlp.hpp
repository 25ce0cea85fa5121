#pragma once

// A fully connected network with one output. Shapes: B points, D inputs.

#include "solvers/neural/network.hpp"

namespace kantor::neural {

/// Its gradients are made by hand: on networks of this size autograd's own work takes a good part
/// of a step, and its GEMMs are ATen's.
class Mlp final : public Network {
 public:
  /// Initial weights follow from the seed by counter-based random numbers; the last layer is zero.
  /// @param options type and device.
  Mlp(const NetworkConfig& config, std::int64_t d, const at::TensorOptions& options,
      std::uint64_t seed);
  /// "layers.0.weight" [O, I], "layers.0.bias" [O], ..
  static std::vector<ParameterShape> parameter_shapes(const NetworkConfig& config, std::int64_t d);

  at::Tensor forward(const at::Tensor& x) const override;
  /// @param[out] tape of each layer its input [B, I] and, of hidden ones, the sums before their
  /// activation [B, O].
  at::Tensor forward(const at::Tensor& x, Tape& tape) const override;
  void backward(const Tape& tape, const at::Tensor& cotangents) const override;
  std::vector<NamedParameter> parameters() const override;
  Record describe() const override;

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

  NetworkConfig config_;
  Activation activation_;
  std::vector<Layer> layers_;
};

}  // namespace kantor::neural
