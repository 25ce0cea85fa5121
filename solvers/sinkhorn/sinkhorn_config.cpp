#include "solvers/sinkhorn/sinkhorn_config.hpp"

#include "runtime/config/convert.hpp"

namespace kantor::sinkhorn {

namespace {

/// A number or a word.
void describe_momentum(config::Fields& fields, Momentum& momentum) {
  constexpr const char* kMeaning =
      "weight of each update, below 2: 1 = plain, or \"adaptive\": found on the way";
  const config::Value* given = fields.raw("momentum", kMeaning, "number, or \"adaptive\"");
  const auto* word = std::get_if<std::string>(given == nullptr ? nullptr : &given->data);
  momentum.is_adaptive = word != nullptr && *word == "adaptive";
  if (!momentum.is_adaptive) fields.add("momentum", momentum.weight, kMeaning).above(0).below(2);
}

/// A word or a folder.
void describe_warm_start(config::Fields& fields, std::string& warm_start) {
  constexpr const char* kMeaning = "\"gaussian\", \"subsample\", or a run directory to start from";
  const config::Value* given = fields.raw("warm_start", kMeaning, "text or folder");
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
  fields.add("start", start, "multiple of epsilon at the first iteration").at_least(1);
  fields.add("factor", factor, "of it at each next one, down to epsilon itself").above(0).below(1);
}

void SinkhornConfig::describe(config::Fields& fields) {
  fields.add("tolerance", tolerance, "L1 marginal error to reach; 0 = run max_iterations")
      .at_least(0);
  fields.add("max_iterations", max_iterations, "full iterations at most").at_least(1);
  fields.add_choice("storage", storage,
                    {"auto", "materialised", "streamed", "absorbed", "absorbed16"},
                    "what of this rank's rows is kept in memory: costs, nothing, or the kernel");
  describe_momentum(fields, momentum);
  fields.add_optional("epsilon_decay", epsilon_decay, "start at a larger epsilon");
  describe_warm_start(fields, warm_start);
  fields.add("warm_start_points", warm_start_points, "points per marginal of the subsample")
      .at_least(1);
  fields.add("divergence", divergence,
             "solve each marginal against itself too, for the Sinkhorn divergence");
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
