#include "distributed/trainer.hpp"

#include <torch/torch.h>

#include <cmath>

#include "distributed/together.hpp"
#include "runtime/core/error.hpp"
#include "runtime/core/process.hpp"
#include "runtime/metrics/progress.hpp"

namespace kantor {

namespace {

/// The values, once they are those of rank 0: an average that starts from others keeps them.
const at::Tensor& in_step(FlatParameters& parameters, Communicator& world) {
  parameters.broadcast(world);
  return parameters.values();
}

}  // namespace

Trainer::Trainer(const TrainerConfig& config, Objective& objective, FlatParameters& parameters,
                 Context& context)
    : config_(config),
      objective_(objective),
      parameters_(parameters),
      context_(context),
      adam_(config, parameters.values()),
      average_(config.average_decay, in_step(parameters, context.world)) {}

StepReport Trainer::step() {
  parameters_.zero_gradients();
  const Objective::Share share = objective_.evaluate(step_);  // forward, exchange, backward
  parameters_.check_views();  // gradients elsewhere would train nothing, silently
  const StepTail totals =
      parameters_.reduce(context_.world, {.loss = share.loss,
                                          .count = share.count,
                                          .nonfinite = std::isfinite(share.loss) ? 0.0 : 1.0,
                                          .stop = context_.stop_requested() ? 1.0 : 0.0});

  // Every rank holds the same bits from here on, and so comes to the same verdict.
  const torch::NoGradGuard no_grad;
  const double norm = parameters_.gradients().norm().item<double>();
  const bool finite = totals.nonfinite == 0 && std::isfinite(totals.loss) && std::isfinite(norm);
  if (finite) {
    if (config_.clip_norm > 0 && norm > config_.clip_norm) {
      parameters_.gradients().mul_(config_.clip_norm / norm);
    }
    adam_.update(parameters_.gradients(), learning_rate_at(config_, step_));
    average_.update(parameters_.values());
  }
  return finish(totals, norm, !finite);
}

StepReport Trainer::finish(const StepTail& totals, double gradient_norm, bool skipped) {
  ++step_;
  skipped_in_a_row_ = skipped ? skipped_in_a_row_ + 1 : 0;
  if (skipped_in_a_row_ >= config_.nonfinite_limit) {
    fail_alike(context_.world,
               NumericError(concat(
                   "training met NaN or inf in ", skipped_in_a_row_, " steps in a row up to step ",
                   step_, " (loss ", totals.loss, ", gradient norm ", gradient_norm,
                   "); lower solver.neural.learning_rate, raise problem.epsilon, or use "
                   "run.precision = \"float64\"")));
  }
  return {.loss = totals.loss,
          .count = totals.count,
          .gradient_norm = gradient_norm,
          .skipped = skipped,
          .stop = totals.stop > 0};
}

TrainingReport Trainer::run() {
  metrics::Progress progress(
      {.enabled = context_.show_progress, .label = "train", .total = config_.steps});
  TrainingReport report;
  const double start = monotonic_seconds();
  while (step_ < config_.steps && !report.stopped_early) {
    const StepReport done = step();
    report.skipped += done.skipped ? 1 : 0;
    report.samples += done.count;
    report.stopped_early = done.stop;
    progress.update(step_, "loss", done.loss);
    if (step_ % config_.log_every == 0 || step_ == config_.steps) {
      context_.metrics.write(
          "train", step_,
          {{"loss", done.loss},
           {"gradient_norm", done.gradient_norm},
           {"learning_rate", learning_rate_at(config_, step_ - 1)},
           {"samples_per_second", report.samples / (monotonic_seconds() - start)},
           {"skipped_steps", static_cast<double>(report.skipped)},
           {"resident_bytes", static_cast<double>(resident_bytes())}});
    }
  }
  progress.finish();
  const torch::NoGradGuard no_grad;
  if (report.skipped < step_) average_.copy_to(parameters_.values());
  report.steps = step_;
  report.seconds = monotonic_seconds() - start;
  return report;
}

}  // namespace kantor
