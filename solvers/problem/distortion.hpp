#pragma once

// Gromov-Wasserstein distortions by the moments of the two spaces: which EOT problem with a cost
// between points stands for them. Shapes: D coordinates of a space.
//
// quadratic:     E (|x - x'|^2 - |y - y'|^2)^2 = constant + min over A of
//                32 |A|^2 + OT of -4 |x|^2 |y|^2 - 32 x^T A y, both spaces centred
// inner_product: E (<x, x'> - <y, y'>)^2 = constant + min over A of 8 |A|^2 + OT of -8 x^T A y
// with the minimum at A = E[x y^T] / 2. Source: Zhang, Goldfeld, Mroueh & Sriperumbudur 2024;
// Rioux, Goldfeld & Kato 2024.

#include <array>
#include <string>
#include <vector>

#include "solvers/problem/cloud.hpp"

namespace kantor {

struct SpaceMoments {
  std::vector<double> mean;        ///< [D]
  double square = 0;               ///< E |x - mean|^2
  double fourth = 0;               ///< E |x - mean|^4
  std::vector<double> covariance;  ///< [D, D]

  /// E x x^T: about 0, or, centred, the covariance. [D, D]
  std::vector<double> second(bool is_centred) const;
};

/// Points with the moments of their coordinates.
struct Space {
  Cloud cloud;
  SpaceMoments moments;
};

/// Every rank adds its share of the rows. Collective.
Space space_of(Cloud cloud, Communicator& world);

/// E |x - y|^2 under the product, in a space of both.
double mean_square_distance(const SpaceMoments& x, const SpaceMoments& y);

struct Distortion {
  double weight;    ///< of |A|^2, and of x^T A y
  double norms;     ///< of |x|^2 |y|^2
  bool is_centred;  ///< invariant under translations: both spaces are centred first

  /// What A and the plan do not change.
  double constant(const SpaceMoments& x, const SpaceMoments& y) const;
  /// The mean under the product of the marginals.
  double mean(const SpaceMoments& x, const SpaceMoments& y) const;
  /// Every stationary A lies in the ball of this Frobenius norm: sqrt(E|x|^2 E|y|^2) / 2.
  double radius(const SpaceMoments& x, const SpaceMoments& y) const;
};

/// Names of distortions, the first is the default.
inline constexpr std::array kDistortionNames = {"quadratic", "inner_product"};
/// @throws ConfigError for another name.
const Distortion& distortion_named(const std::string& name);

}  // namespace kantor
