#pragma once

// What a solver trains. Shapes: B points, D inputs.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "distributed/flat_parameters.hpp"
#include "runtime/record/record.hpp"
#include "solvers/neural/neural_config.hpp"

namespace kantor::neural {

/// What a forward pass leaves for the backward pass, as the network wants it.
using Tape = std::vector<at::Tensor>;

/// A parameter before there is memory for it.
struct ParameterShape {
  std::string name;
  std::vector<std::int64_t> shape;
};

class Network {
 public:
  virtual ~Network() = default;

  /// @param x [B, D]. @return [B], differentiable by autograd where x or parameters ask for it.
  virtual at::Tensor forward(const at::Tensor& x) const = 0;
  /// The same without autograd. @param[out] tape for backward().
  virtual at::Tensor forward(const at::Tensor& x, Tape& tape) const = 0;
  /// Adds sum_b cotangents_b d output_b / d parameter to the gradient of each parameter.
  /// @param cotangents [B].
  virtual void backward(const Tape& tape, const at::Tensor& cotangents) const = 0;
  /// Named alike in every run.
  virtual std::vector<NamedParameter> parameters() const = 0;
  /// Kind and shape, for model.json.
  virtual Record describe() const = 0;
};

/// Initial weights follow from the seed by counter-based random numbers; the output is 0 at first.
/// @param options type and device.
std::unique_ptr<Network> make_network(const NetworkConfig& config, std::int64_t d,
                                      const at::TensorOptions& options, std::uint64_t seed);
/// What parameters() of that network will be.
std::vector<ParameterShape> parameter_shapes(const NetworkConfig& config, std::int64_t d);
/// From describe(). @throws DataError for a network that this kantor does not have, and for a
/// description that is damaged.
NetworkConfig read_network(const Record& description);

}  // namespace kantor::neural
