#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/config/reader.hpp"

namespace kantor::progot {

/// tuning = { start = 5, scales = [..], points = 2048 }: the epsilons of a map, chosen by how well
/// the target is mapped to itself (Kassraie et al. 2024, algorithm 4).
struct TuningConfig {
  double start = 5;  ///< of the first epsilon, times 5 % of the mean cost
  std::vector<double> scales = {0.125, 0.25, 0.5, 1, 2, 4, 8};  ///< tried, of the last epsilon
  std::int64_t points = 2048;  ///< of the target, at most; a fifth of them tests; 0 = all

  void describe(config::Fields& fields);
  void check() const;
};

/// [solver.progot]
struct ProgotConfig {
  std::int64_t steps = 4;  ///< solves
  std::string schedule = "constant_speed";
  std::vector<double> alphas;                ///< in place of a schedule
  std::vector<double> epsilons;              ///< absolute, one per solve
  std::string epsilon_schedule = "problem";  ///< "problem": as problem.epsilon says; "tuned"
  TuningConfig tuning;
  double first_tolerance = 0.1;
  bool debiased = false;

  void describe(config::Fields& fields);
  void check() const;
};

/// How far each solve moves the cloud towards its map: alphas in (0, 1], the last one 1.
std::vector<double> step_lengths(const ProgotConfig& config);

/// L1 tolerances of the solves, linear from the first one down to `last`.
std::vector<double> step_tolerances(const ProgotConfig& config, double last);

/// (1 - t_k) first + t_k last, t_k = 1 - prod_{l <= k} (1 - alpha_l).
std::vector<double> interpolated_epsilons(const std::vector<double>& alphas, double first,
                                          double last);

}  // namespace kantor::progot
