#pragma once

#include <cstdint>
#include <string>

namespace kantor::metrics {

/// What one progress line says.
struct ProgressState {
  std::string label;
  std::int64_t step = 0;
  std::int64_t total = 0;  ///< 0 = unknown
  std::string quantity;    ///< "loss"; empty: none
  double value = 0;
  double steps_per_second = 0;  ///< 0 = not known yet
  double elapsed_s = 0;
  std::int64_t memory_bytes = 0;
  bool is_final = false;  ///< shows the time taken instead of the time to go
};

/// "train  1200/2000   60%  loss 0.1234567  312 steps/s  ETA 3 s  512.0 MB".
std::string format_progress(const ProgressState& state);

/// Steps per second, forgetting what is older than a few seconds.
class StepRate {
 public:
  /// @param now_s  a clock that never goes back.
  void observe(std::int64_t step, double now_s);
  double steps_per_second() const;  ///< 0 before two observations

 private:
  bool has_first_ = false;
  std::int64_t last_step_ = 0;
  double last_s_ = 0;
  double steps_ = 0;   ///< decayed sum of steps
  double span_s_ = 0;  ///< decayed sum of seconds
};

}  // namespace kantor::metrics
