#pragma once

// Points in the coordinates that make a Gromov-Wasserstein cost a product. Shapes: K points, D
// coordinates, DS features.

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "solvers/problem/distortion.hpp"

namespace kantor::egw {

/// x -> (norms (|x'|^2 - E|x'|^2), matrix^T x', features s'), x' and s' about their means; parts
/// that are not there take no coordinates.
struct Lift {
  std::vector<double> mean;              ///< [D]
  double square = 0;                     ///< E |x'|^2
  double norms = 0;                      ///< 0: not there
  std::vector<double> matrix = {};       ///< [D, columns]; empty = the points themselves
  std::int64_t columns = 0;              ///< 0: not there
  double features = 0;                   ///< 0: not there
  std::vector<double> shared_mean = {};  ///< [DS]

  std::int64_t num_dims() const;
  /// @param point [D] about the mean. @param shared [DS] about its mean, or empty.
  /// @param[out] lifted [num_dims()].
  void apply(std::span<const double> point, std::span<const double> shared, double* lifted) const;
};

/// The points of a cloud, each lifted when it is read.
Cloud lifted_cloud(const Cloud& points, const Cloud* shared, Lift lift);

}  // namespace kantor::egw
