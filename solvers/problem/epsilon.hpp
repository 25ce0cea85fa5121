#pragma once

#include <string>

#include "distributed/context.hpp"
#include "runtime/config/reader.hpp"
#include "solvers/problem/cost_statistics.hpp"

namespace kantor {

/// epsilon = 0.5, or epsilon = { relative = "mean" | "std", scale = 0.05 }
struct EpsilonConfig {
  double value = 0;      ///< absolute, if relative is empty
  std::string relative;  ///< "", "mean", "std"
  double scale = 0.05;
  bool is_given = true;

  /// The key `epsilon` of [problem]. That it is missing is said after a misspelt key has been.
  void describe(config::Fields& fields);
  void check() const;
};

struct Epsilon {
  double value = 0;
  CostStatistics statistics;  ///< the mean NaN with forbidden pairs
};

/// Epsilon by its rule, and the mean cost whatever the rule. Collective.
/// @param where in a message: "here", "in step 2 of 4". @throws ConfigError (on all ranks).
Epsilon resolve_epsilon(const EpsilonConfig& rule, const GroundCost& cost, const Cloud& x,
                        const Cloud& y, const std::string& where, Context& context);

}  // namespace kantor
