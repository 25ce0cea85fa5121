#include "runtime/metrics/progress_line.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "runtime/core/text.hpp"

namespace kantor::metrics {
namespace {

constexpr double kMemory_s = 5;  // observations older than this hardly count

std::string printed(const char* format, double value) {
  std::array<char, 64> buffer{};
  std::snprintf(buffer.data(), buffer.size(), format, value);
  return buffer.data();
}

/// Slow solvers are better read the other way round.
std::string rate_text(double steps_per_second) {
  if (steps_per_second >= 100) return printed("%.0f steps/s", steps_per_second);
  if (steps_per_second >= 1) return printed("%.1f steps/s", steps_per_second);
  return printed("%.1f s/step", 1 / steps_per_second);
}

/// A guess: whole seconds are all it is worth.
std::string time_to_go_text(double seconds) {
  const double whole = std::max(1.0, std::round(seconds));
  return whole < 60 ? printed("%.0f s", whole) : format_seconds(whole);
}

/// Rounded down, so that 100 is said at the end alone.
double percentage(const ProgressState& state) {
  const auto step = static_cast<double>(state.step);
  return std::floor(100 * step / static_cast<double>(state.total));
}

}  // namespace

std::string format_progress(const ProgressState& state) {
  std::string line = state.label + "  ";
  if (state.total > 0) {
    const std::string total = std::to_string(state.total);
    std::string step = std::to_string(state.step);
    if (step.size() < total.size()) step.insert(0, total.size() - step.size(), ' ');
    line += step + "/" + total + printed("  %3.0f%%", percentage(state));
  } else {
    line += "step " + std::to_string(state.step);
  }
  if (!state.quantity.empty()) line += "  " + state.quantity + printed(" %.7g", state.value);
  if (state.steps_per_second > 0) {
    line += "  " + rate_text(state.steps_per_second);
    if (!state.is_final && state.total > state.step) {
      const auto left = static_cast<double>(state.total - state.step);
      line += "  ETA " + time_to_go_text(left / state.steps_per_second);
    }
  }
  if (state.is_final) line += "  in " + format_seconds(state.elapsed_s);
  return line + "  " + format_bytes(static_cast<double>(state.memory_bytes));
}

void StepRate::observe(std::int64_t step, double now_s) {
  if (has_first_) {
    const double passed_s = std::max(0.0, now_s - last_s_);
    const double kept = std::exp(-passed_s / kMemory_s);
    steps_ = kept * steps_ + static_cast<double>(step - last_step_);
    span_s_ = kept * span_s_ + passed_s;
  }
  has_first_ = true;
  last_step_ = step;
  last_s_ = now_s;
}

double StepRate::steps_per_second() const {
  return span_s_ > 0 ? std::max(0.0, steps_ / span_s_) : 0;
}

}  // namespace kantor::metrics
