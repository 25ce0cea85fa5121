#include "solvers/problem/ground_cost.hpp"

#include <array>

#include "runtime/core/error.hpp"

namespace kantor {

namespace {

struct CostName {
  const char* name;
  kernels::CostKind kind;
};
constexpr std::array kCosts = {CostName{"sqeuclidean", kernels::CostKind::sqeuclidean},
                               CostName{"half_sqeuclidean", kernels::CostKind::half_sqeuclidean},
                               CostName{"dot", kernels::CostKind::dot},
                               CostName{"euclidean", kernels::CostKind::euclidean},
                               CostName{"pnorm", kernels::CostKind::pnorm},
                               // Costs of lifted points, see kinds/egw.cpp.
                               CostName{"quadratic", kernels::CostKind::dot},
                               CostName{"inner_product", kernels::CostKind::dot}};
constexpr const char* kCosine = "cosine";

}  // namespace

GroundCost ground_cost(const std::string& name, double p) {
  GroundCost cost{.name = name, .on_unit_sphere = name == kCosine};
  if (name != kMatrixCost) cost.kernel = {cost_kind(name), p};
  return cost;
}

kernels::CostKind cost_kind(const std::string& name) {
  if (name == kCosine) return kernels::CostKind::half_sqeuclidean;  // of unit vectors
  for (const CostName& cost : kCosts) {
    if (name == cost.name) return cost.kind;
  }
  throw ConfigError(concat("unknown cost \"", name, "\""));
}

std::string cost_name(kernels::CostKind kind) {
  for (const CostName& cost : kCosts) {
    if (kind == cost.kind) return cost.name;
  }
  throw ValueError("unknown cost");
}

}  // namespace kantor
