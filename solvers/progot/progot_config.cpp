#include "solvers/progot/progot_config.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "runtime/core/error.hpp"

namespace kantor::progot {

namespace {

constexpr std::int64_t kMostSteps = 10000;

std::string name_of(const char* key) { return concat("solver.progot.", key); }

void check_length(const char* key, const std::vector<double>& list, std::int64_t steps) {
  if (!list.empty() && static_cast<std::int64_t>(list.size()) != steps) {
    throw ConfigError(concat(name_of(key), " has ", list.size(), " numbers, but there are ", steps,
                             " solves (solver.progot.steps); expected one each"));
  }
}

}  // namespace

void TuningConfig::describe(config::Fields& fields) {
  fields.add("start", start, "first epsilon, times 5 % of the mean cost").above(0);
  fields.add("scales", scales, "tried for the last epsilon, times 5 % of the target's mean cost")
      .items(1, 1000)
      .above(0);
  fields.add("points", points, "of the target, at most, a fifth of them for the test; 0 = all")
      .at_least(0);
}

void TuningConfig::check() const {
  if (points == 1) {
    throw ConfigError(
        "solver.progot.tuning.points is 1; expected 0 (all) or 2 and more: some for the test");
  }
}

void ProgotConfig::describe(config::Fields& fields) {
  fields.add("alphas", alphas, "how far each solve moves the cloud; in place of a schedule")
      .above(0)
      .at_most(1);
  if (!alphas.empty()) steps = static_cast<std::int64_t>(alphas.size());
  fields.add("steps", steps, "number of solves").between(1, kMostSteps);
  fields.add_choice("schedule", schedule, {"constant_speed", "accelerating", "decelerating"},
                    "of the steps towards the target");
  fields.add("epsilons", epsilons, "absolute, one per solve; in place of problem.epsilon").above(0);
  fields.add_choice("epsilon_schedule", epsilon_schedule, {"problem", "tuned"},
                    "problem: as problem.epsilon says, a relative one of each step's cloud; tuned: "
                    "chosen on the target");
  fields.add_struct("tuning", tuning, "of epsilon_schedule = \"tuned\"");
  fields
      .add("first_tolerance", first_tolerance,
           "L1 marginal error of the first solve; linear down to solver.sinkhorn.tolerance")
      .at_least(0);
  fields.add("debiased", debiased, "moves along the map less that of the cloud to itself");
}

void ProgotConfig::check() const {
  check_length("alphas", alphas, steps);
  check_length("epsilons", epsilons, steps);
  if (!alphas.empty() && alphas.back() != 1) {
    throw ConfigError(concat("solver.progot.alphas ends with ", alphas.back(),
                             "; the last step reaches the target, so expected 1"));
  }
  if (!alphas.empty() && schedule != ProgotConfig().schedule) {
    throw ConfigError(concat("solver.progot.alphas are given, and solver.progot.schedule = \"",
                             schedule, "\" would choose others; keep one"));
  }
  if (epsilon_schedule == "tuned" && !epsilons.empty()) {
    throw ConfigError(
        "solver.progot.epsilons are given, and epsilon_schedule = \"tuned\" would choose others; "
        "keep one");
  }
}

std::vector<double> step_lengths(const ProgotConfig& config) {
  if (!config.alphas.empty()) return config.alphas;
  const auto steps = static_cast<double>(config.steps);
  std::vector<double> alphas;
  for (double k = 0; k < steps; ++k) {  // solves done so far
    if (config.schedule == "constant_speed") {
      alphas.push_back(1 / (steps - k));
    } else if (config.schedule == "accelerating") {  // t = ((k + 1) / steps)^2
      alphas.push_back((2 * k + 1) / (steps * steps - k * k));
    } else {
      alphas.push_back(1 / std::numbers::e);
    }
  }
  alphas.back() = 1;
  return alphas;
}

std::vector<double> step_tolerances(const ProgotConfig& config, double last) {
  const double first = std::max(config.first_tolerance, last);
  const auto steps = static_cast<double>(config.steps);
  std::vector<double> tolerances;
  for (double k = 1; k < steps; ++k) {
    tolerances.push_back(last + (first - last) * (steps - k) / (steps - 1));
  }
  tolerances.push_back(last);
  return tolerances;
}

std::vector<double> interpolated_epsilons(const std::vector<double>& alphas, double first,
                                          double last) {
  std::vector<double> epsilons;
  double left = 1;  // 1 - t_k
  for (const double alpha : alphas) {
    left *= 1 - alpha;
    epsilons.push_back(left * first + (1 - left) * last);
  }
  return epsilons;
}

}  // namespace kantor::progot
