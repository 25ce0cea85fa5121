#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace kantor::metrics {

/// One line that lives on a terminal, or one plain line every `plain_interval_s` elsewhere (the
/// first after a second, so that one sees that it runs): step, loss, steps/s, ETA, memory. Writes
/// to stderr. Silent when constructed with enabled = false (other ranks, --quiet).
class Progress {
 public:
  struct Options {
    bool enabled = true;
    std::string label = "train";  ///< "train", "certificate", "sinkhorn"
    std::int64_t total = 0;       ///< steps; 0 = unknown (no ETA)
    double plain_interval_s = 15;
  };
  /// Where a line goes and how it is drawn. The default is stderr and the real clock.
  struct Output {
    std::function<void(const std::string& text)> write;
    bool is_terminal = false;
    std::function<int()> num_columns;  ///< of the terminal
    std::function<double()> now_s;     ///< a clock that never goes back
  };

  explicit Progress(const Options& options);
  Progress(const Options& options, Output output);
  ~Progress();  ///< ends the live line
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// Cheap enough for every step: looks at the clock, draws at most 5 times a second.
  /// @param quantity e.g. "loss" or "marginal error".
  void update(std::int64_t step, const char* quantity, double value);
  /// Draws the last state and ends the line. Nothing if there was no update since the last finish.
  void finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace kantor::metrics
