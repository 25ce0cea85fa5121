#pragma once

// A problem, apart from any solver: marginals, cost, epsilon. Shapes: n_k points of marginal k, D
// dimensions.

#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "distributed/collectively.hpp"
#include "distributed/context.hpp"
#include "runtime/data/marginal.hpp"
#include "runtime/kernels/cost_matrix.hpp"
#include "solvers/result.hpp"

namespace kantor {

/// epsilon = 0.5, or epsilon = { relative = "mean" | "std", scale = 0.05 }
struct EpsilonConfig {
  double value = 0;      ///< absolute, if relative is empty
  std::string relative;  ///< "", "mean", "std"
  double scale = 0.05;
  bool is_given = true;
};

/// What a marginal that is not the given one costs: rho KL(P1 | a) for x, alike for y, with
/// KL(p | q) = sum p log(p / q) - p + q; infinite = held exactly.
struct Penalty {
  double x = std::numeric_limits<double>::infinity();
  double y = std::numeric_limits<double>::infinity();

  bool is_balanced() const { return std::isinf(x) && std::isinf(y); }
  bool is_free() const { return !std::isinf(x) && !std::isinf(y); }  ///< both sides
};
/// Factor of the soft minimum in the update of a potential: rho / (rho + epsilon).
inline double damping(double rho, double epsilon) {
  return std::isinf(rho) ? 1 : rho / (rho + epsilon);
}

/// [problem]
struct ProblemConfig {
  std::string kind = "eot";
  std::string cost = "sqeuclidean";
  double p = 2;           ///< exponent of pnorm
  std::string cost_file;  ///< of cost "matrix": .npy [n, m]
  EpsilonConfig epsilon;
  Penalty rho;
  std::vector<data::MarginalConfig> marginals;

  void describe(config::Fields& fields);
  void check() const;
};

kernels::CostKind cost_kind(const std::string& name);
std::string cost_name(kernels::CostKind kind);

struct Problem {
  std::string kind;
  kernels::Cost cost;
  /// cosine: 1 - <x, y> / (|x| |y|) is half_sqeuclidean between the points as the marginals hold
  /// them, on the unit sphere.
  bool has_unit_points = false;
  /// matrix: [N, M], where neither `cost` nor the points (indices, D = 1) say anything.
  std::shared_ptr<const data::RowSource> cost_matrix;
  bool has_forbidden_pairs = false;  ///< some costs of the matrix are inf
  double epsilon = 0;
  Penalty rho;
  EpsilonConfig epsilon_rule;  ///< what epsilon follows from: a relative one, from the clouds
  double mean_cost = 0;        ///< under the product of the marginals; NaN with forbidden pairs
  std::vector<data::Marginal> marginals;
  std::vector<std::vector<double>> means;  ///< [D] per marginal, weighted
  std::vector<double> centre;  ///< [D], subtracted from all points before any tile is made
  std::optional<Reference> reference;

  std::int64_t n(std::size_t marginal) const { return marginals[marginal].n(); }
  std::int64_t d() const { return marginals.front().d(); }
};

/// As the configuration has it.
std::string cost_name(const Problem& problem);

/// Opens and checks the data (each rank scans its share), agrees on it with the other ranks, takes
/// the moments and resolves epsilon. Every rank throws if any rank met an error.
/// @throws DataError, ConfigError (ranks that see different data, epsilon <= 0).
Problem load_problem(const ProblemConfig& config, Context& context);

/// Whether the files that rows are read from are still those that were opened: to be asked before a
/// result is believed. Local: this rank's view. @throws DataError.
void check_unchanged(const Problem& problem);

/// The problem with its first cloud moved, the weights as they are: centre, means and, if epsilon
/// is relative, mean cost and epsilon follow the cloud. No point leaves its rank. Collective.
/// @param rows  [N_r, D] this rank's rows (shard_of), not centred.
/// @param where in a message, "in step 2 of 4".
Problem with_moved_rows(const Problem& problem, std::vector<double> rows, const std::string& where,
                        Context& context);

}  // namespace kantor
