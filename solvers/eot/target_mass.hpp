#pragma once

// What penalised potentials ask of the marginals: a_i exp(-f_i / rho). Sums over what is given, of
// points without weight nothing. Source: Sejourne et al. 2019.

#include <span>

namespace kantor {

/// The largest -potential_i / rho; -inf without any weight.
double largest_exponent(std::span<const double> weights, std::span<const double> potential,
                        double rho);

/// sum_i weights_i exp(-potential_i / rho - level)
double sum_of_targets(std::span<const double> weights, std::span<const double> potential,
                      double rho, double level);

/// log sum_j weights_j exp(-potential_j / rho): at the optimum, that of the plan's mass. Errors and
/// masses are summed over this level, so that none of them leaves double before the plan does.
double log_target_mass(std::span<const double> weights, std::span<const double> potential,
                       double rho);

}  // namespace kantor
