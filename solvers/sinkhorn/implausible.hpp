#pragma once

#include <cstdint>

namespace kantor::sinkhorn {

/// Marginal errors that no plan can have whose columns are exact and of mass 1: beyond
/// sum_i |row_i - a_i| <= 2, the numbers themselves are wrong, and more iterations change nothing.
class Implausible {
 public:
  /// Half as much again, for what sums in float32 are off by.
  static constexpr double kLargest = 3;

  /// @param largest error that is plausible; infinity where columns are not exact.
  explicit Implausible(double largest = kLargest) : largest_(largest) {}

  /// @return whether so many errors have been implausible in a row that it will not pass.
  bool observe(double error) {
    num_in_row_ = error <= largest_ ? 0 : num_in_row_ + 1;
    return num_in_row_ >= kPatience;
  }

 private:
  static constexpr std::int64_t kPatience = 20;
  double largest_;
  std::int64_t num_in_row_ = 0;
};

}  // namespace kantor::sinkhorn
