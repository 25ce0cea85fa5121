#include "runtime/metrics/progress.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <string_view>

#include "runtime/core/process.hpp"
#include "runtime/metrics/progress_line.hpp"

namespace kantor::metrics {
namespace {

constexpr double kLiveInterval_s = 0.2;
constexpr double kFirstPlain_s = 1;
constexpr std::string_view kWipeLine = "\r\033[K";

int stderr_columns() {
  winsize size{};
  const bool is_known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return is_known ? size.ws_col : 80;
}

Progress::Output stderr_output() {
  const auto write = [](const std::string& text) {
    // In one piece, so that lines of several processes do not mix. A closed stderr is no error.
    (void)std::fwrite(text.data(), 1, text.size(), stderr);
    (void)std::fflush(stderr);
  };
  return {write, isatty(STDERR_FILENO) == 1, stderr_columns, monotonic_seconds};
}

}  // namespace

struct Progress::State {
  Options options;
  Output output;
  ProgressState shown;
  StepRate rate;
  double begin_s = 0;
  double next_draw_s = 0;
  bool has_state = false;     // an update that finish() has not drawn
  bool is_line_open = false;  // the cursor stands behind a live line

  void draw(double now_s) {
    rate.observe(shown.step, now_s);
    shown.steps_per_second = rate.steps_per_second();
    shown.elapsed_s = now_s - begin_s;
    shown.memory_bytes = resident_bytes();
    std::string line = format_progress(shown);
    if (!output.is_terminal) {
      output.write(line + '\n');
      return;
    }
    // A line longer than the terminal would wrap and could not be wiped.
    const int columns = std::max(1, output.num_columns() - 1);
    line.resize(std::min(line.size(), static_cast<std::size_t>(columns)));
    output.write(std::string(kWipeLine) + line);
    is_line_open = true;
  }

  void end_line() {
    if (is_line_open) output.write("\n");
    is_line_open = false;
  }
};

Progress::Progress(const Options& options)
    : Progress(options, options.enabled ? stderr_output() : Output{}) {}

Progress::Progress(const Options& options, Output output) {
  if (!options.enabled) return;
  state_ = std::make_unique<State>();
  State& state = *state_;
  state.options = options;
  state.output = std::move(output);
  state.shown.label = options.label;
  state.shown.total = options.total;
  state.begin_s = state.output.now_s();
  state.next_draw_s = state.begin_s + (state.output.is_terminal ? 0 : kFirstPlain_s);
}

Progress::~Progress() {
  if (!state_) return;
  try {
    state_->end_line();
  } catch (...) {  // a destructor must not throw, and a missing line break harms nobody
  }
}

void Progress::update(std::int64_t step, const char* quantity, double value) {
  if (!state_) return;
  State& state = *state_;
  state.shown.step = step;
  state.shown.quantity = quantity;
  state.shown.value = value;
  const double now_s = state.output.now_s();
  if (!state.has_state) state.rate.observe(step, now_s);  // the rate of a resumed run starts here
  state.has_state = true;
  if (now_s < state.next_draw_s) return;
  const double interval_s =
      state.output.is_terminal ? kLiveInterval_s : state.options.plain_interval_s;
  state.next_draw_s = now_s + interval_s;
  state.draw(now_s);
}

void Progress::finish() {
  if (!state_ || !state_->has_state) return;
  state_->shown.is_final = true;
  state_->draw(state_->output.now_s());
  state_->end_line();
  state_->shown.is_final = false;
  state_->has_state = false;
}

}  // namespace kantor::metrics
