#include "solvers/neural/neural_config.hpp"

#include <cstdint>
#include <limits>

namespace kantor::neural {

void NetworkConfig::describe(config::Fields& fields) {
  fields.add_choice("kind", kind, {"mlp"}, "the network of the potential");
  fields.add("width", width, "hidden layers").items(1, 64).between(1, 65536);
  fields.add_choice("activation", activation, kActivations, "between the layers");
  fields.add("quadratic", quadratic, "adds the Gaussian closed form of the sample moments");
}

void NeuralConfig::describe(config::Fields& fields) {
  training.describe(fields);
  constexpr std::int32_t kLargestBatch = std::numeric_limits<std::int32_t>::max();
  fields.add("batch", batch, "global batch per marginal, split over the ranks")
      .between(1, kLargestBatch);
  fields.add_choice("negatives", negatives, {"global", "local"},
                    "whether a rank's points meet the whole batch or its own block");
  fields.add_struct("network", network, "the potential f");
  fields.add("rescale", rescale,
             "after training, scale the network by the maximiser of the dual value over the data");
  fields
      .add("certificate_iterations", certificate_iterations,
           "Sinkhorn iterations at most, from the learned potential; 0 = no certificate")
      .at_least(0);
  fields
      .add("certificate_tolerance", certificate_tolerance, "L1 marginal error that ends them early")
      .at_least(0);
  fields
      .add("evaluation_points", evaluation_points,
           "values are taken on a seeded subset of at most this many points per marginal; 0 = all")
      .at_least(0);
  fields.add("gap_tolerance", gap_tolerance, "converged = certificate.relative_gap <= this")
      .above(0);
}

}  // namespace kantor::neural
