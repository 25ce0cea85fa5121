#pragma once

#include <cmath>
#include <limits>
#include <type_traits>

namespace kantor {

/// ReduceOp::max of two numbers, the same in any order of ranks: a NaN is the maximum, and +0 is
/// more than -0.
template <class T>
T larger(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    if (std::isnan(a) || std::isnan(b)) return std::numeric_limits<T>::quiet_NaN();
    if (a == b) return std::signbit(a) ? b : a;
  }
  return a > b ? a : b;
}

}  // namespace kantor
