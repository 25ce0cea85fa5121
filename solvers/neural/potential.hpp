#pragma once

// The potential f as a network. Shapes: B points, D dimensions, R rank of the quadratic term.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "solvers/neural/network.hpp"
#include "solvers/problem/gaussian.hpp"
#include "solvers/result.hpp"

namespace kantor::neural {

/// What a potential is built from, in the units of the data.
struct PotentialInputs {
  std::int64_t d = 0;
  std::vector<double> mean;       ///< [D] of the marginal f lives on
  std::vector<double> deviation;  ///< [D] standard deviations, floored: what inputs are divided by
  double output_scale = 1;        ///< unit of the network's output, in units of the cost
  double constant = 0;            ///< fixes the gauge once training is over
  GaussianPotential gaussian;     ///< rank 0 and scale 0 without a quadratic term
};

/// f(x) = gaussian(x) + output_scale * network((x - mean) / deviation) + constant. The network
/// starts at zero, so that training starts from the closed form for Gaussians of the sample's
/// moments (or from 0 without it).
class Potential {
 public:
  /// Initial weights follow from the seed by counter-based random numbers.
  /// @param shift [D] already subtracted from the points that forward() gets.
  /// @param options type and device.
  Potential(const NetworkConfig& config, PotentialInputs inputs, std::span<const double> shift,
            const at::TensorOptions& options, std::uint64_t seed);

  std::int64_t d() const { return inputs_.d; }
  /// @param x [B, D] points minus shift. @return [B], differentiable by autograd where x or
  /// parameters ask for it.
  at::Tensor forward(const at::Tensor& x) const;
  /// The same without autograd. @param[out] tape for backward().
  at::Tensor forward(const at::Tensor& x, Tape& tape) const;
  /// Adds sum_b cotangents_b df_b / d parameter to the gradient of each parameter.
  /// @param cotangents [B].
  void backward(const Tape& tape, const at::Tensor& cotangents) const;
  /// The network's part alone: output_scale * network. @return [B].
  at::Tensor correction(const at::Tensor& x) const;
  at::Device device() const { return origin_.device(); }
  std::vector<NamedParameter> parameters() const { return network_->parameters(); }
  void scale_correction(double factor) { inputs_.output_scale *= factor; }
  /// Adds a constant to f: plan and dual value stay.
  void shift_gauge(double constant) { inputs_.constant += constant; }

  /// The network for result files: tensors that act on raw points, and model.json.
  std::vector<data::NamedTensor> tensors() const;
  Record description() const;
  /// Rebuilds a potential from tensors() and description(). @throws DataError if they do not fit.
  static Potential restore(const Record& description,
                           const std::vector<data::NamedTensor>& tensors);

 private:
  at::Tensor scaled_inputs(const at::Tensor& z) const;  ///< z = points minus mean [B, D]
  /// gaussian(x) + output_scale * network + constant. @param network [B].
  at::Tensor finish(const at::Tensor& z, const at::Tensor& network) const;
  void place_inputs(std::span<const double> shift, const at::TensorOptions& options);

  PotentialInputs inputs_;
  std::unique_ptr<Network> network_;
  at::Tensor origin_;             ///< [D] mean - shift
  at::Tensor inverse_deviation_;  ///< [D]
  at::Tensor factor_;             ///< [D, R]
  at::Tensor linear_;             ///< [D]
};

}  // namespace kantor::neural
