#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace kantor::sinkhorn {

/// Whether errors still fall near the end of the iterations that there may be. At the floor of
/// rounding they are noise: their level tells, not the lowest.
class StallDetector {
 public:
  void observe(std::int64_t iteration, std::int64_t max_iterations, double error) {
    const std::int64_t quarter = 4 * iteration / std::max<std::int64_t>(max_iterations, 1);
    if (quarter < 2) return;
    Level& level = quarter == 2 ? third_quarter_ : last_quarter_;
    level.sum += std::log(error);
    ++level.count;
  }

  /// The level has not fallen by a tenth from the third quarter to the last, of 20 at least each.
  bool has_stalled() const {
    constexpr double kFall = 0.9;
    constexpr std::int64_t kFewest = 20;
    return std::min(third_quarter_.count, last_quarter_.count) >= kFewest &&
           last_quarter_.mean() > third_quarter_.mean() + std::log(kFall);
  }

 private:
  /// Mean of the logarithms of errors.
  struct Level {
    double sum = 0;
    std::int64_t count = 0;
    double mean() const { return sum / static_cast<double>(count); }
  };

  Level third_quarter_;
  Level last_quarter_;
};

}  // namespace kantor::sinkhorn
