#pragma once

// Point clouds from a formula, as pure functions of the seed. Shapes: n points, D dimensions.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "runtime/config/reader.hpp"

namespace kantor::data {

/// generator = { name = "gaussian", ... }
struct GeneratorConfig {
  std::string name = {};  ///< gaussian | gaussian_mixture | uniform_cube | random_field
  std::int64_t n = 0;
  std::int64_t d = 0;
  std::int64_t seed = 0;
  std::vector<double> mean = {};  ///< [D], zero if empty
  /// gaussian: [[..]] D x D row-major, empty = "identity"; or covariance = "wishart" (G G^T with G
  /// of D x 2D, trace 1)
  std::vector<double> covariance = {};
  bool wishart = false;
  bool exact_moments = false;   ///< gaussian: whiten the sample to the given mean and covariance
  std::int64_t components = 3;  ///< gaussian_mixture: centres N(0, centre_scale^2 I), equal weights
  double centre_scale = 1;
  double component_scale = 0.3;  ///< standard deviation of each component
  double decay = 1;              ///< random_field: amplitudes fall as 1 / frequency^decay
  double blur = 0;  ///< random_field: standard deviation of the Gaussian kernel, in pixels

  void describe(config::Fields& fields);
  void check() const;
};

/// The law a cloud was drawn from, where a closed form may use it.
struct GaussianLaw {
  std::vector<double> mean;        ///< [D]
  std::vector<double> covariance;  ///< [D, D]
};
/// Mean and covariance asked for, if the generator is a Gaussian. @throws ConfigError.
std::optional<GaussianLaw> gaussian_law(const GeneratorConfig& config);

/// @return [n, D] row-major. @throws ConfigError (covariance not positive definite, ...).
std::vector<double> generate(const GeneratorConfig& config);

}  // namespace kantor::data
