#pragma once

#include <cmath>
#include <limits>

namespace kantor::test {

/// Rounding of a sum of n terms in T, relative: c * eps<T> * sqrt(n). c = 8 covers the errors of
/// the terms themselves (exp, products).
template <class T>
double tol(double n, double c = 8) {
  return c * static_cast<double>(std::numeric_limits<T>::epsilon()) * std::sqrt(n);
}

}  // namespace kantor::test
