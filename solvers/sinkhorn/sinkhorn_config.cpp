#include "solvers/sinkhorn/sinkhorn_config.hpp"

#include <cmath>

#include "runtime/config/convert.hpp"
#include "runtime/core/error.hpp"

namespace kantor::sinkhorn {

namespace {

/// A number or a word.
void describe_momentum(config::Fields& fields, Momentum& momentum) {
  constexpr const char* kMeaning =
      "weight of each update: 1 = plain, at most 2, or \"adaptive\": found on the way";
  const config::Value* given = fields.raw("momentum", kMeaning);
  if (given == nullptr) {
    fields.resolve_raw("momentum", {momentum.weight, "default", ""});
    return;
  }
  if (std::holds_alternative<std::string>(given->data)) {
    if (config::as_text(*given, fields.where("momentum"), kMeaning) != "adaptive") {
      config::throw_unexpected(*given, fields.where("momentum"), "a number or \"adaptive\"",
                               kMeaning);
    }
    momentum = {.weight = 1, .is_adaptive = true};
    return;
  }
  momentum = {.weight = config::as_number(*given, fields.where("momentum"), kMeaning)};
  fields.resolve_raw("momentum", {momentum.weight, given->origin, ""});
}

/// A word or a folder.
void describe_warm_start(config::Fields& fields, std::string& warm_start) {
  constexpr const char* kMeaning = "\"gaussian\", \"subsample\", or a run directory to start from";
  const config::Value* given = fields.raw("warm_start", kMeaning);
  if (given != nullptr) {
    const std::string where = fields.where("warm_start");
    warm_start = config::as_text(*given, where, kMeaning);
    if (warm_start != "gaussian" && warm_start != "subsample") {
      warm_start = config::as_path(*given, where, kMeaning);
    }
  }
  fields.resolve_raw("warm_start", {warm_start, "default", ""});
}

}  // namespace

void EpsilonDecayConfig::describe(config::Fields& fields) {
  fields.add("start", start, "multiple of epsilon at the first iteration");
  fields.add("factor", factor, "of it at each next one, down to epsilon itself");
}

void SinkhornConfig::describe(config::Fields& fields) {
  fields.add("tolerance", tolerance, "L1 marginal error to reach; 0 = run max_iterations");
  fields.add("max_iterations", max_iterations, "full iterations at most");
  fields.add_choice("storage", storage,
                    {"auto", "materialised", "streamed", "absorbed", "absorbed16"},
                    "what of this rank's rows is kept in memory: costs, nothing, or the kernel");
  describe_momentum(fields, momentum);
  fields.add_optional("epsilon_decay", epsilon_decay, "start at a larger epsilon");
  describe_warm_start(fields, warm_start);
  fields.add("warm_start_points", warm_start_points, "points per marginal of the subsample");
  fields.add("divergence", divergence,
             "solve each marginal against itself too, for the Sinkhorn divergence");
}

void SinkhornConfig::check() const {
  if (!(tolerance >= 0)) {
    throw ConfigError(concat("solver.sinkhorn.tolerance is ", tolerance, "; expected 0 or more"));
  }
  if (max_iterations < 1) {
    throw ConfigError(
        concat("solver.sinkhorn.max_iterations is ", max_iterations, "; expected 1 or more"));
  }
  if (!(momentum.weight > 0 && momentum.weight < 2)) {
    throw ConfigError(concat("solver.sinkhorn.momentum is ", momentum.weight,
                             "; expected a weight between 0 and 2 (1 = plain), or \"adaptive\""));
  }
  if (warm_start_points < 1) {
    throw ConfigError(
        concat("solver.sinkhorn.warm_start_points is ", warm_start_points, "; expected 1 or more"));
  }
  if (!epsilon_decay) return;
  if (!(epsilon_decay->start >= 1 && std::isfinite(epsilon_decay->start))) {
    throw ConfigError(concat("solver.sinkhorn.epsilon_decay.start is ", epsilon_decay->start,
                             "; expected a multiple of epsilon, 1 or more"));
  }
  if (!(epsilon_decay->factor > 0 && epsilon_decay->factor < 1)) {
    throw ConfigError(concat("solver.sinkhorn.epsilon_decay.factor is ", epsilon_decay->factor,
                             "; expected a number between 0 and 1"));
  }
}

bool SinkhornConfig::starts_from_run() const {
  return !warm_start.empty() && warm_start != "gaussian" && warm_start != "subsample";
}

Stopping SinkhornConfig::stopping() const {
  Stopping stopping{.tolerance = tolerance, .max_iterations = max_iterations, .momentum = momentum};
  if (epsilon_decay) stopping.decay = {epsilon_decay->start, epsilon_decay->factor};
  return stopping;
}

}  // namespace kantor::sinkhorn
