#include "solvers/sinkhorn/sinkhorn_config.hpp"

#include "runtime/core/error.hpp"

namespace kantor::sinkhorn {

void SinkhornConfig::describe(config::Fields& fields) {
  fields.add("tolerance", tolerance, "L1 marginal error to reach; 0 = run max_iterations");
  fields.add("max_iterations", max_iterations, "full iterations at most");
  fields.add_choice("storage", storage, {"auto", "materialised", "streamed"},
                    "whether this rank's rows of the cost are kept in memory");
}

void SinkhornConfig::check() const {
  if (!(tolerance >= 0)) {
    throw ConfigError(concat("solver.sinkhorn.tolerance is ", tolerance, "; expected 0 or more"));
  }
  if (max_iterations < 1) {
    throw ConfigError(
        concat("solver.sinkhorn.max_iterations is ", max_iterations, "; expected 1 or more"));
  }
}

}  // namespace kantor::sinkhorn
