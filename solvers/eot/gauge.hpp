#pragma once

// Potentials are known up to a constant. Shapes: N points x, M points y.

#include <span>
#include <vector>

namespace kantor {

/// Shifts (f, g) to the gauge sum_i a_i f_i = 0; the plan and the dual value stay. @param a [N]
/// summing to 1. @return what was added to f.
double fix_gauge(std::span<const double> a, std::vector<double>& f, std::vector<double>& g);

}  // namespace kantor
