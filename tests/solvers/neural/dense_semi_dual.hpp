#pragma once

// The semi-dual of a batch as one autograd graph over B x B, in double: the oracle of SemiDual.

#include <torch/torch.h>

#include <cstdint>
#include <vector>

#include "runtime/random/sampler.hpp"
#include "solvers/neural/semi_dual.hpp"
#include "tests/solvers/small_problem.hpp"

namespace kantor::test {

/// Every parameter gets values of its own, so that no gradient is zero by construction.
inline void perturb(const neural::Potential& potential) {
  const torch::NoGradGuard no_grad;
  double phase = 0;
  for (const NamedParameter& parameter : potential.parameters()) {
    phase += 1;
    const at::Tensor values = torch::arange(parameter.tensor.numel(), torch::kFloat64);
    parameter.tensor.copy_(torch::sin(values * .7 + phase).mul(.4).view_as(parameter.tensor));
  }
}

/// A small potential over marginal 0, as the solver makes it, perturbed.
inline neural::Potential small_potential(const Problem& problem,
                                         at::ScalarType dtype = torch::kFloat64) {
  neural::PotentialInputs inputs;
  inputs.d = problem.d();
  inputs.mean = problem.clouds[0].mean;
  inputs.deviation.assign(static_cast<std::size_t>(problem.d()), .6);
  inputs.output_scale = problem.epsilon;
  inputs.gaussian.scale = 0;
  neural::NetworkConfig network;
  network.width = {7, 5};
  neural::Potential potential(network, inputs, pair_of(problem).centre, dtype, 3);
  perturb(potential);
  return potential;
}

inline void zero_gradients(const neural::Potential& potential) {
  for (const NamedParameter& parameter : potential.parameters()) {
    parameter.tensor.mutable_grad() = torch::zeros_like(parameter.tensor);
  }
}

inline std::vector<double> gradients(const neural::Potential& potential) {
  std::vector<double> all;
  for (const NamedParameter& parameter : potential.parameters()) {
    const at::Tensor flat = parameter.tensor.grad().to(torch::kFloat64).flatten().contiguous();
    all.insert(all.end(), flat.data_ptr<double>(), flat.data_ptr<double>() + flat.numel());
  }
  return all;
}

struct LossAndGradient {
  double loss = 0;
  std::vector<double> gradient;
};

/// Rows first .. last - 1 of the batch of this step, as a batch of its own.
struct DenseBatch {
  at::Tensor x, y;                ///< [B, D] raw points
  at::Tensor weight_x, weight_y;  ///< [B] summing to 1

  DenseBatch(const Problem& problem, std::int64_t seed, std::int64_t batch, std::int64_t step,
             std::int64_t first, std::int64_t last) {
    read(problem, 0, seed, step * batch + first, last - first, x, weight_x);
    read(problem, 1, seed, step * batch + first, last - first, y, weight_y);
  }

  static void read(const Problem& problem, std::size_t marginal, std::int64_t seed,
                   std::int64_t first, std::int64_t count, at::Tensor& points,
                   at::Tensor& weights) {
    random::Sampler sampler = neural::training_sampler(pair_of(problem), marginal, seed);
    std::vector<std::int64_t> rows;
    std::vector<double> chosen;
    for (std::int64_t i = 0; i < count; ++i) {
      rows.push_back(sampler.row(first + i));
      chosen.push_back(problem.clouds[marginal].marginal.weight(rows.back()));
    }
    points = torch::empty({count, problem.d()}, torch::kFloat64);
    problem.clouds[marginal].marginal.read<double>(rows, {}, points.data_ptr<double>());
    weights = torch::tensor(chosen, torch::kFloat64);
    weights = weights / weights.sum();
  }

  at::Tensor costs(const Cost& cost) const {
    const at::Tensor difference = x.unsqueeze(1) - y.unsqueeze(0);  // [B, B, D]
    switch (cost.kind) {
      case CostKind::sqeuclidean:
        return difference.square().sum(2);
      case CostKind::half_sqeuclidean:
        return difference.square().sum(2) / 2;
      case CostKind::dot:
        return -torch::mm(x, y.t());
      case CostKind::euclidean:
        return difference.square().sum(2).sqrt();
      case CostKind::pnorm:
        return difference.abs().pow(cost.p).sum(2) / cost.p;
    }
    return {};
  }

  LossAndGradient evaluate(const Problem& problem, const neural::Potential& potential) const {
    for (const NamedParameter& parameter : potential.parameters()) {
      parameter.tensor.requires_grad_(true);
    }
    const double epsilon = problem.epsilon;
    const at::Tensor centre = torch::tensor(pair_of(problem).centre, torch::kFloat64);
    const at::Tensor f = potential.forward(x - centre);
    const at::Tensor exponents =
        weight_x.log().unsqueeze(1) + (f.unsqueeze(1) - costs(problem.cost.kernel)) / epsilon;
    const at::Tensor soft = -epsilon * torch::logsumexp(exponents, 0);
    const at::Tensor loss = -((weight_x * f).sum() + (weight_y * soft).sum());
    zero_gradients(potential);
    loss.backward();
    for (const NamedParameter& parameter : potential.parameters()) {
      parameter.tensor.requires_grad_(false);
    }
    return {loss.item<double>(), gradients(potential)};
  }
};

}  // namespace kantor::test
