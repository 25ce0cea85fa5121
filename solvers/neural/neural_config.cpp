#include "solvers/neural/neural_config.hpp"

#include <cstdint>
#include <limits>

#include "runtime/core/error.hpp"

namespace kantor::neural {

void NetworkConfig::describe(config::Fields& fields) {
  fields.add_choice("kind", kind, {"mlp"}, "the network of the potential");
  fields.add("width", width, "hidden layers");
  fields.add_choice("activation", activation, kActivations, "between the layers");
  fields.add("quadratic", quadratic, "adds the Gaussian closed form of the sample moments");
}

void NetworkConfig::check() const {
  for (const std::int64_t units : width) {
    if (units < 1 || units > 65536) {
      throw ConfigError(concat("solver.neural.network.width holds ", units,
                               "; expected numbers from 1 to 65536"));
    }
  }
  if (width.empty() || width.size() > 64) {
    throw ConfigError(concat("solver.neural.network.width has ", width.size(),
                             " layers; expected 1 to 64, such as [128, 128]"));
  }
}

void NeuralConfig::describe(config::Fields& fields) {
  training.describe(fields);
  fields.add("batch", batch, "global batch per marginal, split over the ranks");
  fields.add_choice("negatives", negatives, {"global", "local"},
                    "whether a rank's points meet the whole batch or its own block");
  fields.add_struct("network", network, "the potential f");
  fields.add("rescale", rescale,
             "after training, scale the network by the maximiser of the dual value over the data");
  fields.add("certificate_iterations", certificate_iterations,
             "Sinkhorn iterations at most, from the learned potential; 0 = no certificate");
  fields.add("certificate_tolerance", certificate_tolerance,
             "L1 marginal error that ends them early");
  fields.add(
      "evaluation_points", evaluation_points,
      "values are taken on a seeded subset of at most this many points per marginal; 0 = all");
  fields.add("gap_tolerance", gap_tolerance, "converged = certificate.relative_gap <= this");
}

void NeuralConfig::check() const {
  const auto require = [](bool holds, const auto&... message) {
    if (!holds) throw ConfigError(concat("solver.neural.", message...));
  };
  training.check();
  network.check();
  constexpr std::int64_t kLargestBatch = std::numeric_limits<std::int32_t>::max();
  require(batch >= 1 && batch <= kLargestBatch, "batch is ", batch, "; expected 1 to ",
          kLargestBatch);
  require(certificate_iterations >= 0, "certificate_iterations is ", certificate_iterations,
          "; expected 0 (none) or more");
  require(certificate_tolerance >= 0, "certificate_tolerance is ", certificate_tolerance,
          "; expected 0 or more");
  require(evaluation_points >= 0, "evaluation_points is ", evaluation_points,
          "; expected 0 (all) or more");
  require(gap_tolerance > 0, "gap_tolerance is ", gap_tolerance, "; expected a positive number");
}

}  // namespace kantor::neural
