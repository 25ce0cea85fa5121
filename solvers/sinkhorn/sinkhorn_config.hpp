#pragma once

#include <cstdint>
#include <string>

#include "runtime/config/reader.hpp"

namespace kantor::sinkhorn {

/// [solver.sinkhorn]
struct SinkhornConfig {
  double tolerance = 1e-3;  ///< L1 marginal error; 0 = run max_iterations
  std::int64_t max_iterations = 10000;
  std::string storage = "auto";  ///< auto | materialised | streamed

  void describe(config::Fields& fields);
  void check() const;
};

}  // namespace kantor::sinkhorn
