#include "solvers/eot/evaluation_progress.hpp"

#include <algorithm>
#include <utility>

namespace kantor {

namespace {
constexpr std::int64_t kPercent = 100;
constexpr std::int64_t kMorePasses = 64;  // in one piece each: seconds together
}  // namespace

EvaluationProgress::EvaluationProgress(std::int64_t num_passes, std::int64_t step,
                                       std::function<void()> save, Context& context)
    : context_(context),
      num_passes_(num_passes),
      step_(step),
      save_(std::move(save)),
      progress_({.enabled = context.show_progress, .label = "evaluation, %", .total = kPercent}) {}

void EvaluationProgress::begin(std::int64_t num_parts) {
  ++pass_;
  num_parts_ = std::max<std::int64_t>(num_parts, 1);
  part_ = 0;
  if (pass_ > num_passes_ + kMorePasses) ask();
}

void EvaluationProgress::pause() {
  ++part_;
  ask();
}

void EvaluationProgress::ask() {
  has_paused_ = true;
  const std::int64_t done = kPercent * ((pass_ - 1) * num_parts_ + part_);
  progress_.update(std::min(done / (num_passes_ * num_parts_), kPercent - 1), "pass",
                   static_cast<double>(pass_));
  const bool is_due = save_ && !is_saved_ && context_.checkpoints.due(step_);
  double asked[] = {context_.stop_requested() ? 1.0 : 0.0, is_due ? 1.0 : 0.0};
  context_.world.all_reduce<double>(asked, ReduceOp::sum, "requests during the evaluation");
  const bool stops = asked[0] > 0;
  if (save_ && (stops || (asked[1] > 0 && !is_saved_))) {
    save_();
    is_saved_ = true;
  }
  if (stops) throw Stopped(step_);
}

void EvaluationProgress::finish() {
  if (!has_paused_) return;
  progress_.update(kPercent, "pass", static_cast<double>(pass_));
  progress_.finish();
}

}  // namespace kantor
