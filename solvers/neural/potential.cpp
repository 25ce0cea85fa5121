#include "solvers/neural/potential.hpp"

#include <torch/torch.h>

#include "runtime/core/error.hpp"
#include "solvers/neural/affine.hpp"

namespace kantor::neural {

namespace {

constexpr int kModelVersion = 1;

at::Tensor to_tensor(std::span<const double> values, at::IntArrayRef shape,
                     const at::TensorOptions& options) {
  const at::Tensor view =
      torch::from_blob(const_cast<double*>(values.data()), shape, torch::kFloat64);
  return view.to(options, /*non_blocking=*/false, /*copy=*/true);
}

/// What model.json says. @throws DataError if it is not what description() writes.
void read_description(const Record& description, NetworkConfig& config, PotentialInputs& inputs) {
  std::int64_t version = 0;
  try {
    const std::string bad = description.find_nonfinite();
    if (!bad.empty()) throw DataError(bad);
    version = description.get<std::int64_t>("version");
    if (version == kModelVersion) {
      config = read_network(description.get<Record>("network"));
      inputs.d = description.get<std::int64_t>("d");
      inputs.output_scale = description.number("output_scale");
      inputs.constant = description.number("constant");
      inputs.gaussian.scale = description.number("quadratic.scale");
      inputs.gaussian.square = description.number("quadratic.square");
      inputs.gaussian.rank = description.get<std::int64_t>("quadratic.rank");
      return;
    }
  } catch (const DataError& error) {
    throw DataError(concat("model.json is damaged: ", error.what()));
  }
  throw DataError(
      concat("model.json is of version ", version, "; this kantor reads version ", kModelVersion));
}

std::vector<double> to_vector(const at::Tensor& tensor) {
  const at::Tensor flat = tensor.detach().to(torch::kCPU, torch::kFloat64).contiguous().flatten();
  return {flat.data_ptr<double>(), flat.data_ptr<double>() + flat.numel()};
}

}  // namespace

Potential::Potential(const NetworkConfig& config, PotentialInputs inputs,
                     std::span<const double> shift, const at::TensorOptions& options,
                     std::uint64_t seed)
    : inputs_(std::move(inputs)), network_(make_network(config, inputs_.d, options, seed)) {
  place_inputs(shift, options);
}

void Potential::place_inputs(std::span<const double> shift, const at::TensorOptions& options) {
  std::vector<double> origin(inputs_.mean);
  for (std::size_t k = 0; k < shift.size(); ++k) origin[k] -= shift[k];
  std::vector<double> inverse(inputs_.deviation);
  for (double& value : inverse) value = 1 / value;
  origin_ = to_tensor(origin, {inputs_.d}, options);
  inverse_deviation_ = to_tensor(inverse, {inputs_.d}, options);
  if (inputs_.gaussian.scale != 0) {
    factor_ = to_tensor(inputs_.gaussian.factor, {inputs_.d, inputs_.gaussian.rank}, options);
    linear_ = to_tensor(inputs_.gaussian.linear, {inputs_.d}, options);
  }
}

at::Tensor Potential::scaled_inputs(const at::Tensor& z) const { return z * inverse_deviation_; }

at::Tensor Potential::correction(const at::Tensor& x) const {
  return inputs_.output_scale * network_->forward(scaled_inputs(x - origin_));
}

at::Tensor Potential::finish(const at::Tensor& z, const at::Tensor& network) const {
  const at::Tensor correction = inputs_.output_scale * network + inputs_.constant;  // [B]
  const GaussianPotential& gaussian = inputs_.gaussian;
  if (gaussian.scale == 0) return correction;
  const at::Tensor quadratic = gaussian.square * z.square().sum(1) -
                               affine(z, factor_.t()).square().sum(1) +
                               2 * torch::mv(z, linear_);  // [B]
  return gaussian.scale * quadratic + correction;
}

at::Tensor Potential::forward(const at::Tensor& x) const {
  const at::Tensor z = x - origin_;  // [B, D]
  return finish(z, network_->forward(scaled_inputs(z)));
}

at::Tensor Potential::forward(const at::Tensor& x, Tape& tape) const {
  const torch::NoGradGuard no_grad;
  const at::Tensor z = x - origin_;  // [B, D]
  return finish(z, network_->forward(scaled_inputs(z), tape));
}

void Potential::backward(const Tape& tape, const at::Tensor& cotangents) const {
  network_->backward(tape, inputs_.output_scale * cotangents);
}

std::vector<data::NamedTensor> Potential::tensors() const {
  const std::int64_t d = inputs_.d;
  std::vector<data::NamedTensor> result = {{"input.mean", {d}, inputs_.mean},
                                           {"input.deviation", {d}, inputs_.deviation}};
  if (inputs_.gaussian.scale != 0) {
    result.push_back({"quadratic.factor", {d, inputs_.gaussian.rank}, inputs_.gaussian.factor});
    result.push_back({"quadratic.linear", {d}, inputs_.gaussian.linear});
  }
  for (const NamedParameter& parameter : parameters()) {
    result.push_back({parameter.name, parameter.tensor.sizes().vec(), to_vector(parameter.tensor)});
  }
  return result;
}

Record Potential::description() const {
  Record quadratic;
  quadratic.set("scale", inputs_.gaussian.scale);
  quadratic.set("square", inputs_.gaussian.square);
  quadratic.set("rank", inputs_.gaussian.rank);
  Record model;
  model.set("format", "kantor potential");
  model.set("version", kModelVersion);
  model.set("formula",
            "f(x) = scale * (square |z|^2 - |factor^T z|^2 + 2 linear.z) + output_scale * mlp(z / "
            "deviation) + constant, z = x - mean");
  model.set("network", network_->describe());
  model.set("d", inputs_.d);
  model.set("output_scale", inputs_.output_scale);
  model.set("constant", inputs_.constant);
  model.set("quadratic", quadratic);
  return model;
}

Potential Potential::restore(const Record& description,
                             const std::vector<data::NamedTensor>& tensors) {
  const auto tensor = [&](const std::string& name, const std::vector<std::int64_t>& shape) {
    if (const auto* values = find_values(tensors, name, shape)) return *values;
    throw DataError(
        concat("the model has no tensor ", name, " of the shape that model.json tells"));
  };
  NetworkConfig config;
  PotentialInputs inputs;
  read_description(description, config, inputs);
  inputs.mean = tensor("input.mean", {inputs.d});
  inputs.deviation = tensor("input.deviation", {inputs.d});
  if (inputs.gaussian.scale != 0) {
    inputs.gaussian.factor = tensor("quadratic.factor", {inputs.d, inputs.gaussian.rank});
    inputs.gaussian.linear = tensor("quadratic.linear", {inputs.d});
  }
  // The parameters are there before any memory is taken for them.
  std::vector<std::vector<double>> values;
  for (const auto& [name, shape] : parameter_shapes(config, inputs.d)) {
    values.push_back(tensor(name, shape));
  }
  Potential potential(config, std::move(inputs), {}, torch::kFloat64, 0);
  const torch::NoGradGuard no_grad;
  const std::vector<NamedParameter> parameters = potential.parameters();
  for (std::size_t k = 0; k < parameters.size(); ++k) {
    const at::Tensor& parameter = parameters[k].tensor;
    parameter.copy_(to_tensor(values[k], parameter.sizes(), torch::kFloat64));
  }
  return potential;
}

}  // namespace kantor::neural
