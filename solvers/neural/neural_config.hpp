#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "distributed/trainer_config.hpp"
#include "runtime/config/reader.hpp"

namespace kantor::neural {

inline const std::vector<std::string> kActivations = {"silu", "relu", "gelu", "tanh", "softplus"};

/// network = { kind = "mlp", width = [128, 128], activation = "silu", quadratic = true }
struct NetworkConfig {
  std::string kind = "mlp";
  std::vector<std::int64_t> width = {128, 128};
  std::string activation = "silu";  ///< silu | relu | gelu | tanh | softplus
  bool quadratic = true;  ///< adds a quadratic form, started from the Gaussian closed form

  void describe(config::Fields& fields);
};

/// [solver.neural]
struct NeuralConfig {
  TrainerConfig training;            ///< steps, learning_rate, ... in the same table
  std::int64_t batch = 512;          ///< global batch per marginal
  std::string negatives = "global";  ///< global | local
  NetworkConfig network;
  bool rescale = true;  ///< after training, by the multiple that is best over all the data
  std::int64_t certificate_iterations = 200;  ///< at most; 0 = no certificate
  double certificate_tolerance = 1e-4;        ///< L1 marginal error that ends them early
  std::int64_t evaluation_points = 20000;     ///< per marginal at most; 0 = all
  double gap_tolerance = 1e-2;                ///< converged = relative gap <= this

  void describe(config::Fields& fields);
};

}  // namespace kantor::neural
