#pragma once

// Weighted moments of a marginal from partial sums that ranks add up. Shapes: n points, D
// dimensions.

#include <cstdint>
#include <span>
#include <vector>

#include "runtime/data/marginal.hpp"

namespace kantor::data {

/// sum_i a_i x_i over rows [first, last). @return [D].
std::vector<double> partial_mean(const Marginal& marginal, std::int64_t first, std::int64_t last);

/// Central sums over rows [first, last) about `mean`, by blocks in double.
struct CentralSums {
  double square = 0;              ///< sum_i a_i |x_i - mean|^2
  double fourth = 0;              ///< sum_i a_i |x_i - mean|^4
  std::vector<double> third;      ///< [D] sum_i a_i |x_i - mean|^2 (x_i - mean)
  std::vector<double> variances;  ///< [D] sum_i a_i (x_i - mean)_k^2
  std::vector<double>
      covariance;  ///< [D, D] sum_i a_i (x_i - mean)(x_i - mean)^T, only if asked for
};
CentralSums partial_central_sums(const Marginal& marginal, std::int64_t first, std::int64_t last,
                                 std::span<const double> mean, bool with_covariance);

}  // namespace kantor::data
