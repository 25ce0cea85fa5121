#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "solvers/sinkhorn/sinkhorn_config.hpp"

namespace kantor::egw {

/// [solver.egw]
struct EgwConfig {
  double tolerance = 1e-3;             ///< |change of A| over the radius of the ball it lies in
  std::int64_t max_steps = 300;        ///< of A
  std::string update = "alternating";  ///< alternating | accelerated
  std::int64_t starts = 16;
  std::int64_t start_points = 2000;  ///< of each marginal that starts are tried on
  std::int64_t continued = 1;        ///< of the starts, at all points
  std::optional<sinkhorn::EpsilonDecayConfig> epsilon_decay;  ///< over the steps of A
  bool debiased = false;
  double learning_rate = 1e-2;       ///< neural: of A over its radius, peak of the schedule
  std::int64_t potential_steps = 5;  ///< neural: for each step of A

  void describe(config::Fields& fields);
  sinkhorn::EpsilonDecay decay() const;
};

}  // namespace kantor::egw
