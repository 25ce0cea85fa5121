#pragma once

// A short training run and the values that its results must have.

#include <torch/torch.h>

#include <string>
#include <vector>

#include "solvers/neural/neural_eot.hpp"
#include "solvers/neural/potential.hpp"
#include "tests/solvers/dense_eot.hpp"

namespace kantor::test {

inline neural::NeuralConfig small_network() {
  neural::NeuralConfig config;
  config.training.steps = 60;
  config.training.optimizer.learning_rate = 1e-2;
  config.training.optimizer.warmup_steps = 10;
  config.batch = 32;
  config.network.width = {8, 8};
  return config;
}

inline Outcome solve_neural(const neural::NeuralConfig& config, const Problem& problem,
                            Communicator& ranks, const std::string& precision = "float64") {
  TestRun run(ranks, precision);
  run.run.seed = 4;
  return neural::solve(config, problem, run.context);
}

/// The network of a result at raw points of marginal 0.
inline std::vector<double> network_values(const Outcome& result, std::vector<double> points) {
  const auto potential = neural::Potential::restore(result.model, result.tensors);
  const std::int64_t d = potential.d();
  const at::Tensor x = torch::from_blob(
      points.data(), {static_cast<std::int64_t>(points.size()) / d, d}, torch::kFloat64);
  const at::Tensor f = potential.forward(x).detach().contiguous();
  return {f.data_ptr<double>(), f.data_ptr<double>() + f.numel()};
}

/// Some rows as a problem of its own, weights rescaled.
inline Problem restricted(const Problem& problem, const std::vector<std::int64_t>& x_rows,
                          const std::vector<std::int64_t>& y_rows) {
  const auto part = [](const data::Marginal& marginal, const std::vector<std::int64_t>& rows) {
    if (rows.empty()) return marginal;
    std::vector<double> points(rows.size() * static_cast<std::size_t>(marginal.d()));
    marginal.read<double>(rows, {}, points.data());
    std::vector<double> weights;
    double mass = 0;
    for (const std::int64_t row : rows) {
      weights.push_back(marginal.weight(row));
      mass += weights.back();
    }
    for (double& weight : weights) weight /= mass;
    return make_marginal(points, marginal.d(), weights);
  };
  return make_problem(problem.cost.kernel, problem.epsilon,
                      part(problem.clouds[0].marginal, x_rows),
                      part(problem.clouds[1].marginal, y_rows));
}

}  // namespace kantor::test
