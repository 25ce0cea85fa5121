#pragma once

// A problem, apart from any solver: marginals, cost, epsilon. Shapes: n_k points of marginal k.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "distributed/collectively.hpp"
#include "distributed/context.hpp"
#include "solvers/problem/cloud.hpp"
#include "solvers/problem/epsilon.hpp"
#include "solvers/problem/ground_cost.hpp"
#include "solvers/problem/terms.hpp"
#include "solvers/result.hpp"

namespace kantor {

struct KindEntry;

/// [problem]
struct ProblemConfig {
  std::string kind = "eot";
  std::string cost = "sqeuclidean";
  double p = 2;           ///< exponent of pnorm
  std::string cost_file;  ///< of cost "matrix": .npy [n, m]
  EpsilonConfig epsilon;
  Terms terms;  ///< the kind's own keys
  std::vector<data::MarginalConfig> marginals;

  void describe(config::Fields& fields);
  void check() const;
};

struct Problem {
  const KindEntry* kind = nullptr;
  std::vector<Cloud> clouds;
  GroundCost cost;
  EpsilonConfig rule;  ///< what epsilon follows from: a relative one, from the clouds
  double epsilon = 0;
  CostStatistics statistics;  ///< of the cost under the product of the marginals
  Terms terms;
  std::optional<Reference> reference;

  std::int64_t n(std::size_t cloud) const { return clouds[cloud].n(); }
  std::int64_t d(std::size_t cloud = 0) const { return clouds[cloud].d(); }
};

/// Opens and checks the data (each rank scans its share), agrees on it with the other ranks, takes
/// the moments and resolves epsilon. Every rank throws if any rank met an error.
/// @throws DataError, ConfigError (ranks that see different data, epsilon <= 0).
Problem load_problem(const ProblemConfig& config, Context& context);

/// Whether the files that rows are read from are still those that were opened: to be asked before a
/// result is believed. Local: this rank's view. @throws DataError.
void check_unchanged(const Problem& problem);

}  // namespace kantor
