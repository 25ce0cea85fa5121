#include "solvers/neural/correction_scale.hpp"

#include <algorithm>
#include <cmath>

#include "solvers/neural/potential_values.hpp"

namespace kantor::neural {

namespace {

struct Slope {
  double value = 0;   ///< J
  double first = 0;   ///< J'
  double second = 0;  ///< J'', <= 0
};

/// J, J' and J'' at potentials f in the direction h. @param f, h [N_r].
template <class T>
Slope slope_at(const ShardedPairs<T>& points, std::span<const double> f,
               std::span<const double> h) {
  std::vector<T> powers;  // [N_r, 2]: h, h^2
  for (const double value : h) {
    powers.push_back(static_cast<T>(value));
    powers.push_back(static_cast<T>(value * value));
  }
  const auto m = static_cast<std::size_t>(points.m());
  std::vector<double> g(m);
  std::vector<double> averages(2 * m);
  points.transform_to_y(f, powers, 2, g, averages);
  std::vector<double> mean(m);
  std::vector<double> variance(m);
  for (std::size_t j = 0; j < m; ++j) {
    mean[j] = averages[2 * j];
    variance[j] = std::max(averages[2 * j + 1] - mean[j] * mean[j], 0.0);
  }
  return {points.expectation_x(f) + points.expectation_y(g),
          points.expectation_x(h) - points.expectation_y(mean),
          -points.expectation_y(variance) / points.epsilon()};
}

/// The interval that holds the maximiser: J' has been found >= 0 at a taken lower end and <= 0 at a
/// taken upper one.
struct Bracket {
  double lower = 0;
  double upper = 2;
  bool lower_is_taken = false;
  bool upper_is_taken = false;

  void narrow(double scale, double first) {
    (first > 0 ? lower : upper) = scale;
    (first > 0 ? lower_is_taken : upper_is_taken) = true;
  }

  /// Newton's step, at most to an end; halfway where that end is known not to be the maximiser.
  double next(double scale, const Slope& slope) const {
    const double step = slope.second < 0 ? -slope.first / slope.second : HUGE_VAL * slope.first;
    const double target = std::clamp(scale + step, lower, upper);
    const bool is_known =
        (target == lower && lower_is_taken) || (target == upper && upper_is_taken);
    return is_known ? (lower + upper) / 2 : target;
  }
};

}  // namespace

template <class T>
double best_correction_scale(const Potential& potential, const Pair& pair, const Subset& subset,
                             Context& context) {
  constexpr int kMaxPasses = 16;
  constexpr double kTolerance = 1e-3;
  const ShardedPairs<T> points(pair, subset, Storage::streamed, context);
  const std::vector<std::int64_t> rows = rows_of(points.rows(), subset.x);
  const std::vector<double> whole = potential_at<T>(potential, pair, rows);
  std::vector<double> h = potential_at<T>(potential, pair, rows, Part::correction);
  const double mean = points.expectation_x(h);
  for (double& value : h) value -= mean;  // a constant does not matter, and would cancel in h^2

  double scale = 1;
  double best = 1;
  double best_value = -HUGE_VAL;
  Bracket bracket;
  std::vector<double> f(whole);
  for (int pass = 0; pass < kMaxPasses; ++pass) {
    const std::int64_t stop = context.stop_requested() ? 1 : 0;
    if (context.world.agree(stop, "a request to stop") != 0) throw Stopped(pass);
    const Slope slope = slope_at(points, f, h);
    if (!std::isfinite(slope.value) || !std::isfinite(slope.first)) break;
    if (slope.value > best_value) {
      best = scale;
      best_value = slope.value;
    }
    if (slope.first == 0) break;
    bracket.narrow(scale, slope.first);
    const double next = bracket.next(scale, slope);
    if (std::abs(next - scale) < kTolerance) return best == scale ? next : best;
    scale = next;
    for (std::size_t i = 0; i < f.size(); ++i) f[i] = whole[i] + (scale - 1) * h[i];
  }
  return best;
}

template double best_correction_scale<float>(const Potential&, const Pair&, const Subset&,
                                             Context&);
template double best_correction_scale<double>(const Potential&, const Pair&, const Subset&,
                                              Context&);

}  // namespace kantor::neural
