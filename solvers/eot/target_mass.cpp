#include "solvers/eot/target_mass.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace kantor {

double largest_exponent(std::span<const double> weights, std::span<const double> potential,
                        double rho) {
  double largest = -std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < weights.size(); ++i) {
    if (weights[i] > 0) largest = std::max(largest, -potential[i] / rho);
  }
  return largest;
}

double sum_of_targets(std::span<const double> weights, std::span<const double> potential,
                      double rho, double level) {
  double sum = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    if (weights[i] > 0) sum += weights[i] * std::exp(-potential[i] / rho - level);
  }
  return sum;
}

double log_target_mass(std::span<const double> weights, std::span<const double> potential,
                       double rho) {
  if (std::isinf(rho)) return 0;
  const double largest = largest_exponent(weights, potential, rho);
  return largest + std::log(sum_of_targets(weights, potential, rho, largest));
}

}  // namespace kantor
