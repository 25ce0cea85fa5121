#include "distributed/trainer.hpp"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>

#include "distributed/tensor_snapshot.hpp"
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
      average_(config.average_decay, in_step(parameters, context.world)),
      start_s_(monotonic_seconds()) {
  if (const checkpoint::Snapshot* state = context_.checkpoints.restored()) {
    together(context_.world, "restoring the training", [&] { restore(*state); });
  }
}

StepReport Trainer::step() {
  context_.world.at_step(step_ + 1);
  parameters_.zero_gradients();
  const Objective::Share share = objective_.evaluate(step_);  // forward, exchange, backward
  parameters_.check_views();  // gradients elsewhere would train nothing, silently
  const StepTail totals = context_.profile.timed(Phase::communication, [&] {
    return parameters_.reduce(context_.world, {.loss = share.loss,
                                               .count = share.count,
                                               .nonfinite = std::isfinite(share.loss) ? 0.0 : 1.0,
                                               .stop = context_.stop_requested() ? 1.0 : 0.0});
  });
  // Every rank holds the same bits from here on, and so comes to the same verdict.
  return context_.profile.timed(Phase::update, [&] { return update(totals); });
}

StepReport Trainer::update(const StepTail& totals) {
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
  const double run_start_s = monotonic_seconds();
  start_s_ = run_start_s - report_.seconds;
  if (step_ == 0) context_.checkpoints.save(snapshot());
  while (step_ < config_.steps) {
    const StepReport done = step();
    record(done);
    progress.update(step_, "loss", done.loss);
    const bool is_last = step_ == config_.steps;
    if (is_last || done.stop || context_.checkpoints.due(step_)) {
      context_.checkpoints.save(snapshot());
    }
    if (done.stop && !is_last) throw Stopped(step_);
  }
  progress.finish();
  report_.profile = context_.profile.shares(std::max(monotonic_seconds() - run_start_s, 1e-9));
  context_.world.at_step(0);
  const torch::NoGradGuard no_grad;
  if (report_.skipped < step_) average_.copy_to(parameters_.values());
  return report_;
}

void Trainer::record(const StepReport& done) {
  report_.steps = step_;
  report_.skipped += done.skipped ? 1 : 0;
  report_.samples += done.count;
  report_.seconds = monotonic_seconds() - start_s_;
  if (step_ % config_.log_every != 0 && step_ != config_.steps) return;
  context_.metrics.write("train", step_,
                         {{"loss", done.loss},
                          {"gradient_norm", done.gradient_norm},
                          {"learning_rate", learning_rate_at(config_, step_ - 1)},
                          {"samples_per_second", report_.samples / report_.seconds},
                          {"skipped_steps", static_cast<double>(report_.skipped)},
                          {"resident_bytes", static_cast<double>(resident_bytes())}});
}

checkpoint::Snapshot Trainer::snapshot() const {
  checkpoint::Snapshot state;
  state.metadata.step = step_;
  state.metadata.samples_seen = static_cast<std::int64_t>(report_.samples);
  state.metadata.integers["train.skipped"] = report_.skipped;
  state.metadata.integers["train.skipped_in_a_row"] = skipped_in_a_row_;
  state.metadata.numbers["train.samples"] = report_.samples;
  state.metadata.numbers["train.seconds"] = report_.seconds;
  state.metadata.environment["parameters"] = parameters_.description();
  state.tensors.push_back(to_snapshot("parameters", parameters_.values()));
  adam_.store(state);
  average_.store(state);
  return state;
}

void Trainer::restore(const checkpoint::Snapshot& state) {
  const auto layout = state.metadata.environment.find("parameters");
  if (layout == state.metadata.environment.end() || layout->second != parameters_.description()) {
    throw DataError(concat("the checkpoint of step ", state.metadata.step,
                           " holds other parameters than ", parameters_.description()));
  }
  from_snapshot(state, "parameters", parameters_.values());
  adam_.restore(state);
  average_.restore(state);
  step_ = report_.steps = state.metadata.step;
  report_.skipped = state.metadata.integer("train.skipped");
  report_.samples = state.metadata.number("train.samples");
  report_.seconds = state.metadata.number("train.seconds");
  skipped_in_a_row_ = state.metadata.integer("train.skipped_in_a_row");
}

}  // namespace kantor
