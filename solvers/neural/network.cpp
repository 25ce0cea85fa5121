#include "solvers/neural/network.hpp"

#include <algorithm>

#include "runtime/core/error.hpp"
#include "solvers/neural/mlp.hpp"

namespace kantor::neural {

std::unique_ptr<Network> make_network(const NetworkConfig& config, std::int64_t d,
                                      const at::TensorOptions& options, std::uint64_t seed) {
  return std::make_unique<Mlp>(config, d, options, seed);
}

std::vector<ParameterShape> parameter_shapes(const NetworkConfig& config, std::int64_t d) {
  return Mlp::parameter_shapes(config, d);
}

NetworkConfig read_network(const Record& description) {
  NetworkConfig config;
  config.kind = description.get<std::string>("kind");
  config.width = description.get<std::vector<std::int64_t>>("width");
  config.activation = description.get<std::string>("activation");
  if (config.kind != "mlp" || config.width.empty() ||
      std::find(kActivations.begin(), kActivations.end(), config.activation) ==
          kActivations.end()) {
    throw DataError(concat("it tells of a network of kind \"", config.kind, "\" with ",
                           config.width.size(), " hidden layers and activation \"",
                           config.activation, "\", which this kantor does not have"));
  }
  return config;
}

}  // namespace kantor::neural
