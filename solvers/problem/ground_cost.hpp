#pragma once

// What a pair of points costs.

#include <memory>
#include <string>

#include "runtime/data/marginal.hpp"
#include "runtime/kernels/cost_matrix.hpp"

namespace kantor {

struct GroundCost {
  std::string name = "sqeuclidean";  ///< as the configuration has it
  kernels::Cost kernel = {};
  /// cosine: 1 - <x, y> / (|x| |y|) is half_sqeuclidean between the points as the marginals hold
  /// them, on the unit sphere.
  bool on_unit_sphere = false;
  /// matrix: [N, M], where neither `kernel` nor the points (indices, D = 1) say anything.
  std::shared_ptr<const data::RowSource> file = {};
  bool has_forbidden_pairs = false;  ///< some costs of the file are inf
};

constexpr const char* kMatrixCost = "matrix";

/// As the configuration names it; that of a file is not opened. @param p exponent of pnorm.
/// @throws ConfigError for an unknown name.
GroundCost ground_cost(const std::string& name, double p);

kernels::CostKind cost_kind(const std::string& name);
std::string cost_name(kernels::CostKind kind);

}  // namespace kantor
