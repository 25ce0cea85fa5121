#pragma once

// What the kinds of problems have beside clouds, a cost and epsilon.

#include <any>
#include <cmath>
#include <cstdint>
#include <limits>
#include <variant>
#include <vector>

#include "solvers/problem/cloud.hpp"
#include "solvers/problem/distortion.hpp"
#include "solvers/problem/graph.hpp"

namespace kantor {

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

struct EotTerms {
  Penalty rho;
};
/// alpha E[distortion] + (1 - alpha) E[|s - t|^2], s and t in one space.
struct EgwTerms {
  double alpha = 1;
  std::vector<Space> spaces = {};  ///< the two clouds with their moments, once loaded
  std::vector<Space> shared = {};  ///< s, t: once loaded, unless alpha = 1
};
/// Of mot and mgw.
struct GraphTerms {
  GraphConfig graph;
};
struct GridTerms {
  std::int64_t size = 0;  ///< points a side that densities are brought to; 0: as they are
  double dust = 1e-6;     ///< of a density's mass, spread over all points
};

/// The last is for kinds whose terms are known to their own files alone.
using Terms = std::variant<EotTerms, EgwTerms, GraphTerms, GridTerms, std::any>;

/// Penalties of the marginals; kinds that have none hold both exactly.
inline Penalty penalty_of(const Terms& terms) {
  const auto* eot = std::get_if<EotTerms>(&terms);
  return eot == nullptr ? Penalty{} : eot->rho;
}

}  // namespace kantor
