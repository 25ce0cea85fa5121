#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "runtime/config/reader.hpp"
#include "solvers/sinkhorn/iteration.hpp"

namespace kantor::sinkhorn {

/// epsilon_decay = { start = 10.0, factor = 0.9 }
struct EpsilonDecayConfig {
  double start = 10;  ///< multiple of epsilon at the first iteration
  double factor = 0.9;

  void describe(config::Fields& fields);
};

/// [solver.sinkhorn]
struct SinkhornConfig {
  double tolerance = 1e-3;  ///< L1 marginal error; 0 = run max_iterations
  std::int64_t max_iterations = 10000;
  std::string storage = "auto";  ///< auto | materialised | streamed | absorbed | absorbed16
  Momentum momentum;
  std::optional<EpsilonDecayConfig> epsilon_decay;
  bool divergence = false;
  std::string warm_start;  ///< "", "gaussian", "subsample", or a run directory
  std::int64_t warm_start_points = 2000;

  void describe(config::Fields& fields);
  Stopping stopping() const;
  bool starts_from_run() const;  ///< warm_start names a run directory
};

}  // namespace kantor::sinkhorn
