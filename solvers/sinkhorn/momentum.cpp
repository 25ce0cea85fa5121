#include "solvers/sinkhorn/momentum.hpp"

#include <algorithm>
#include <cmath>

namespace kantor::sinkhorn {

namespace {

// Chosen on 60 problems (n = 80 to 100, d = 1 to 32, uniform, Gaussian and clustered, epsilon 10%
// to 0.3% of the mean cost, tolerances 1e-3 and 1e-6): a third of the plain iterations in the mean.
constexpr std::int64_t kWindow = 15;     ///< over which the error must fall
constexpr std::int64_t kReview = 10;     ///< after as many iterations the weight is looked at again
constexpr double kSteady = 0.1;          ///< relative change of 1 - r that counts as steady
constexpr double kTransient = 100;       ///< an error may rise by it when momentum begins
constexpr double kLargestRatio = 0.995;  ///< believed; w = 1.87
constexpr double kNearlyDone = 10;       ///< plain iterations for which momentum is not begun
constexpr std::int64_t kLongestWait = 1 << 20;

double best_weight(double ratio) { return 2 / (1 + std::sqrt(1 - std::min(ratio, kLargestRatio))); }

}  // namespace

MomentumControl::MomentumControl(const Momentum& momentum, double tolerance)
    : is_adaptive_(momentum.is_adaptive),
      given_weight_(momentum.weight),
      tolerance_(tolerance),
      weight_(momentum.is_adaptive ? 1 : momentum.weight),
      errors_(static_cast<std::size_t>(kWindow), 0.0) {}

double MomentumControl::error_before(std::int64_t iterations) const {
  return errors_[static_cast<std::size_t>((age_ - iterations) % kWindow)];
}

void MomentumControl::observe(double error) {
  ++age_;
  if (!is_adaptive_) {
    start_error_ = age_ == 1 ? error : std::min(start_error_, error);
    const bool is_fine = std::isfinite(error) && error <= kTransient * std::max(start_error_, 1.0);
    if (!is_fine) weight_ = 1;
    return;
  }
  if (weight_ == 1) {
    wait_for_steady_contraction(error);
  } else {
    watch(error);
  }
  errors_[static_cast<std::size_t>(age_ % kWindow)] = error;
}

void MomentumControl::wait_for_steady_contraction(double error) {
  const double ratio = age_ > 1 ? error / error_before(1) : 0;
  const bool is_steady =
      ratio > 0 && ratio < 1 && ratio_ > 0 && std::abs(ratio - ratio_) <= kSteady * (1 - ratio);
  steady_ = is_steady ? steady_ + 1 : 0;
  ratio_ = ratio;
  if (steady_ < needed_) return;
  if (tolerance_ > 0 && std::log(tolerance_ / error) / std::log(ratio) < kNearlyDone) return;
  weight_ = best_weight(ratio);
  start_error_ = error;
  age_ = 0;
}

void MomentumControl::watch(double error) {
  const bool has_window = age_ >= 2 * kWindow;
  const double reference = !has_window           ? kTransient * start_error_
                           : age_ == 2 * kWindow ? start_error_
                                                 : error_before(kWindow);
  if (!(error <= std::min(reference, kTransient * start_error_))) return fall_back();
  if (age_ < 2 * kReview || age_ % kReview != 0) return;
  // lambda^(1/10) is what an iteration leaves; below the best weight it tells r.
  const double contraction = std::pow(error / error_before(kReview), 1.0 / kReview);
  if (!(contraction > weight_ - 1 + 0.01 && contraction < 1)) return;
  const double root = contraction + weight_ - 1;
  weight_ = std::max(weight_, best_weight(root * root / (contraction * weight_ * weight_)));
}

void MomentumControl::fall_back() {
  weight_ = 1;
  ratio_ = 0;
  age_ = 0;
  steady_ = 0;
  needed_ = std::min(2 * needed_, kLongestWait);
}

void MomentumControl::describe(const StateFields& fields) {
  std::vector<double> state = {weight_,
                               ratio_,
                               start_error_,
                               static_cast<double>(age_),
                               static_cast<double>(steady_),
                               static_cast<double>(needed_)};
  state.insert(state.end(), errors_.begin(), errors_.end());
  fields.add("sinkhorn.momentum", state);
  if (!fields.is_restoring()) return;
  weight_ = state[0];
  ratio_ = state[1];
  start_error_ = state[2];
  age_ = static_cast<std::int64_t>(state[3]);
  steady_ = static_cast<std::int64_t>(state[4]);
  needed_ = static_cast<std::int64_t>(state[5]);
  errors_.assign(state.begin() + 6, state.end());
}

}  // namespace kantor::sinkhorn
