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

// Places in a row of the ledger, behind the tail.
constexpr std::size_t kNorm = FlatParameters::kTailSize;
constexpr std::size_t kSkipped = kNorm + 1;
constexpr std::int64_t kRowSize = kSkipped + 1;
constexpr std::int64_t kMostOpen = 8;  // steps until a request to stop is seen, at most

/// The values, once they are those of rank 0: an average that starts from others keeps them.
const at::Tensor& in_step(FlatParameters& parameters, Communicator& world) {
  parameters.broadcast(world);
  world.settle();
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
      ledger_(torch::zeros({std::clamp(config.log_every, std::int64_t{1}, kMostOpen), kRowSize},
                           parameters.values().options().dtype(at::kDouble))),
      start_s_(monotonic_seconds()) {
  if (const checkpoint::Snapshot* state = context_.checkpoints.restored()) {
    together(context_.world, "restoring the training", [&] { restore(*state); });
  }
}

StepReport Trainer::step() {
  advance();
  return settle().back();
}

/// What became of the step is not read here but by settle().
void Trainer::advance() {
  context_.world.at_step(step_ + 1);
  parameters_.zero_gradients();
  const Objective::Share share = objective_.evaluate(step_);  // forward, exchange, backward
  parameters_.check_views();  // gradients elsewhere would train nothing, silently
  context_.profile.timed(Phase::communication, [&] {
    parameters_.reduce(
        context_.world,
        {.loss = share.loss, .count = share.count, .stop = context_.stop_requested()});
  });
  context_.profile.timed(Phase::update, [&] { update(); });
  ++step_;
}

/// Every rank holds the same bits from here on, and so comes to the same verdict.
void Trainer::update() {
  const torch::NoGradGuard no_grad;
  const at::Tensor& gradients = parameters_.gradients();
  const at::Tensor norm = gradients.norm();
  const at::Tensor skip = parameters_.is_finite(norm).logical_not().to(at::kFloat);
  if (config_.clip_norm > 0) {
    gradients.mul_((config_.clip_norm / norm.to(at::kDouble)).clamp_max_(1));
  }
  adam_.update(gradients, learning_rate_at(config_, step_), skip);
  average_.update(parameters_.values(), skip);
  const at::Tensor row = ledger_.select(0, num_open_++);
  row.narrow(0, 0, FlatParameters::kTailSize).copy_(parameters_.tail());
  row.select(0, kNorm).copy_(norm);
  row.select(0, kSkipped).copy_(skip);
}

/// Reads what became of the steps since the last time, in order.
std::vector<StepReport> Trainer::settle() {
  context_.world.settle();  // has a deadline, which a copy to the host has not
  const at::Tensor rows = ledger_.narrow(0, 0, num_open_).to(at::kCPU);
  const std::int64_t first = step_ - num_open_;
  num_open_ = 0;
  std::vector<StepReport> reports;
  for (std::int64_t k = 0; k < rows.size(0); ++k) {
    const std::span<const double> row(rows.data_ptr<double>() + k * kRowSize, kRowSize);
    reports.push_back(finish(first + k + 1, row));
  }
  return reports;
}

StepReport Trainer::finish(std::int64_t step, std::span<const double> row) {
  const StepTail totals = FlatParameters::unpack(row.first(FlatParameters::kTailSize));
  const StepReport report = {.step = step,
                             .loss = totals.loss,
                             .count = totals.count,
                             .gradient_norm = row[kNorm],
                             .skipped = row[kSkipped] != 0,
                             .stop = totals.stop > 0};
  skipped_in_a_row_ = report.skipped ? skipped_in_a_row_ + 1 : 0;
  if (skipped_in_a_row_ >= config_.nonfinite_limit) {
    fail_alike(context_.world,
               NumericError(concat(
                   "training met NaN or inf in ", skipped_in_a_row_, " steps in a row up to step ",
                   step, " (loss ", report.loss, ", gradient norm ", report.gradient_norm,
                   "); lower solver.neural.learning_rate, raise problem.epsilon, or use "
                   "run.precision = \"float64\"")));
  }
  return report;
}

/// On the CPU a look costs nothing. On a GPU it waits for all that was asked of it, and nothing
/// else does: so only where someone wants to see numbers, and often enough to stop in time.
bool Trainer::settles_at(std::int64_t step) const {
  if (num_open_ == ledger_.size(0)) return true;
  const std::int64_t saves_every = context_.run.checkpoint.every_steps;
  return parameters_.values().is_cpu() || step % config_.log_every == 0 || step == config_.steps ||
         (saves_every > 0 && step % saves_every == 0);
}

TrainingReport Trainer::run() {
  metrics::Progress progress(
      {.enabled = context_.show_progress, .label = "train", .total = config_.steps});
  const double run_start_s = monotonic_seconds();
  start_s_ = run_start_s - report_.seconds;
  if (step_ == 0) context_.checkpoints.save(snapshot());
  while (step_ < config_.steps) {
    advance();
    if (!settles_at(step_)) continue;
    bool stop = false;
    for (const StepReport& done : settle()) {
      record(done);
      stop = stop || done.stop;
      progress.update(done.step, "loss", done.loss);
    }
    const bool is_last = step_ == config_.steps;
    if (is_last || stop || context_.checkpoints.due(step_)) {
      context_.checkpoints.save(snapshot());
    }
    if (stop && !is_last) throw Stopped(step_);
  }
  progress.finish();
  report_.profile = context_.profile.shares(std::max(monotonic_seconds() - run_start_s, 1e-9));
  context_.world.at_step(0);
  const torch::NoGradGuard no_grad;
  if (report_.skipped < step_) average_.copy_to(parameters_.values());
  return report_;
}

void Trainer::record(const StepReport& done) {
  report_.steps = done.step;
  report_.skipped += done.skipped ? 1 : 0;
  report_.samples += done.count;
  report_.seconds = monotonic_seconds() - start_s_;
  if (done.step % config_.log_every != 0 && done.step != config_.steps) return;
  context_.metrics.write("train", done.step,
                         {{"loss", done.loss},
                          {"gradient_norm", done.gradient_norm},
                          {"learning_rate", learning_rate_at(config_, done.step - 1)},
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
