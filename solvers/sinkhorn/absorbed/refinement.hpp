#pragma once

// When Sinkhorn's kernel in 16 bits is made anew. At a refresh it is exact, and the pass at the
// same potentials tells the true error; from there on a pass is wrong by 2^-10 of the way that the
// potentials have gone at most, so that with refreshes near the optimum any tolerance is reached.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "distributed/state_fields.hpp"
#include "runtime/kernels/absorbed/unit_code.hpp"

namespace kantor::sinkhorn {

class Refinement {
 public:
  /// Whether the error has fallen so far since the refresh, or the potentials have gone so far (a
  /// slow way to the optimum), that what the kernel is wrong by may soon show; or falls no more:
  /// columns are exact per rank, which may leave a plan's mass wrong.
  /// @param error of a pass that read the kernel; each of them once.
  /// @param drift of its potentials, see AbsorbedKernel.
  bool is_due(double error, double drift) {
    const bool falls = error < (1 - kLeastFall) * level_;
    level_ = falls ? error : level_;
    num_level_ = falls ? 0 : num_level_ + 1;
    // Half of what the error of all rows may be.
    const double wrong_by = kernels::kCodeError * -std::expm1(-2 * drift);
    return error <= std::max(kFall * column_error_, wrong_by) || num_level_ >= kMostLevel;
  }

  /// The next refresh is to tell whether the kernel led anywhere.
  void check() { is_checking_ = true; }

  /// After a refresh. @param column_error of the plan of f0 and g0.
  void refreshed(double column_error) {
    column_error_ = column_error;
    level_ = kNone;
    num_level_ = 0;
  }

  /// @param error true, of the pass at a refresh.
  void measured(double error) {
    has_led_nowhere_ = has_led_nowhere_ || (is_checking_ && error > kLeastGain * last_error_);
    is_checking_ = false;
    last_error_ = error;
  }

  /// A refresh that was to tell has found hardly less error than the one before.
  bool has_led_nowhere() const { return has_led_nowhere_; }

  /// Between a sweep and the update that follows.
  void describe(const StateFields& fields) {
    fields.add("sinkhorn.refresh_error", last_error_);
    fields.add("sinkhorn.refresh_column_error", column_error_);
    fields.add("sinkhorn.refresh_level", level_);
    fields.add("sinkhorn.refresh_num_level", num_level_);
    fields.add("sinkhorn.has_led_nowhere", has_led_nowhere_);
  }

 private:
  static constexpr double kFall = 0x1p-8;
  static constexpr double kLeastGain = 0.9;
  static constexpr double kLeastFall = 1e-3;  ///< within so many passes:
  static constexpr std::int64_t kMostLevel = 32;
  static constexpr double kNone = std::numeric_limits<double>::max();
  double last_error_ = kNone;  ///< at the last refresh, if measured
  double column_error_ = 0;    ///< there
  double level_ = kNone;       ///< of the errors since
  std::int64_t num_level_ = 0;
  bool is_checking_ = false;
  bool has_led_nowhere_ = false;
};

}  // namespace kantor::sinkhorn
