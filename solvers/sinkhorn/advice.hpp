#pragma once

// What a person is told of a solve that has not converged.

#include <optional>
#include <span>
#include <string>

#include "solvers/sinkhorn/sinkhorn_config.hpp"

namespace kantor::sinkhorn {

/// Where the iterations have come to.
struct Shortfall {
  std::span<const double> marginal_error;
  std::int64_t iterations = 0;
  bool is_stalled = false;      ///< more iterations would not have helped
  bool has_wide_gap = false;    ///< between what is proven; the marginals may be near enough
  double lower = 0;             ///< the optimum lies between them
  std::optional<double> upper;  ///< absent: no plan was found that avoids all forbidden pairs
  const char* or_else = "";     ///< behind the advice to let it run longer
};

/// One line that says what to change.
std::string advice_of(const Shortfall& shortfall, const SinkhornConfig& config,
                      const std::string& precision);

}  // namespace kantor::sinkhorn
