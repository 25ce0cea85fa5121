#include "distributed/trainer.hpp"

#include <torch/torch.h>

#include <algorithm>
#include <set>

#include "distributed/collectively.hpp"
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

constexpr const char* kUpdate = "update";          // phase of the profile
constexpr const char* kOfObjective = "objective";  // before the names of its state

/// Every group has a name and turns of its own.
void check(const std::vector<Group>& groups, const std::vector<Turn>& turns) {
  KANTOR_CHECK(!groups.empty(), "nothing to train");
  std::vector<std::int64_t> repeats(groups.size());
  for (const Turn& turn : turns) {
    KANTOR_CHECK(turn.group < groups.size() && turn.repeats > 0, "a turn of ", turn.repeats,
                 " steps of group ", turn.group, " of ", groups.size());
    repeats[turn.group] += turn.repeats;
  }
  std::set<std::string> names = {kOfObjective};
  for (std::size_t k = 0; k < groups.size(); ++k) {
    KANTOR_CHECK(repeats[k] > 0, "group ", groups[k].name, " is never on turn");
    KANTOR_CHECK(names.insert(groups[k].name).second, "two parts of a training are called \"",
                 groups[k].name, "\"");
  }
}

}  // namespace

Trainer::Trained::Trained(const Group& group, std::string prefix_, std::int64_t num_steps_)
    : name(group.name),
      prefix(std::move(prefix_)),
      parameters(group.parameters),
      config(group.optimizer),
      num_steps(num_steps_),
      adam(config, parameters.values()),
      average(config.average_decay, parameters.values()) {}

Trainer::Trainer(const TrainerConfig& config, Objective& objective,
                 const std::vector<Group>& groups, std::vector<Turn> turns, Context& context,
                 CheckpointScope* scope)
    : config_(config),
      objective_(objective),
      context_(context),
      run_(context.checkpoints),
      scope_(scope != nullptr ? *scope : run_),
      turns_(std::move(turns)),
      start_s_(monotonic_seconds()) {
  check(groups, turns_);
  context_.profile.list({kCommunication, kUpdate});
  for (const Group& group : groups) group.parameters.broadcast(context_.world);
  context_.world.synchronize();  // an average that starts from the values keeps them
  for (std::size_t k = 0; k < groups.size(); ++k) {
    groups_.emplace_back(groups[k], k == 0 ? "" : groups[k].name + ".",
                         steps_of(k, turns_, config_.steps));
  }
  ledger_ = torch::zeros({std::clamp(config_.log_every, std::int64_t{1}, kMostOpen), kRowSize},
                         groups.front().parameters.values().options().dtype(at::kDouble));
  if (scope_.is_under_way(*this)) {
    collectively(context_.world, "restoring the training",
                 [&] { step_ = report_.steps = scope_.restore(*this); });
  }
}

Trainer::Trainer(const TrainerConfig& config, Objective& objective, FlatParameters& parameters,
                 Context& context)
    : Trainer(config, objective, {{"parameters", parameters, config.optimizer}}, {Turn{}},
              context) {}

StepReport Trainer::step() {
  advance();
  return synchronize().back();
}

/// What became of the step is not read here but by synchronize().
StepId Trainer::advance() {
  const StepId id = step_id(turns_, step_);
  FlatParameters& parameters = groups_[id.group].parameters;
  context_.world.at_step(step_ + 1);
  parameters.zero_gradients();
  const LocalLoss loss = objective_.evaluate(id);  // forward, exchange, backward
  parameters.check_views();  // gradients elsewhere would train nothing, silently
  context_.profile.timed(
      kCommunication, [&] { parameters.reduce(context_.world, loss, context_.stop_requested()); });
  context_.profile.timed(kUpdate, [&] { update(id); });
  objective_.updated(id);
  ++step_;
  return id;
}

/// Every rank holds the same bits from here on, and so comes to the same verdict.
void Trainer::update(const StepId& id) {
  const torch::NoGradGuard no_grad;
  Trained& group = groups_[id.group];
  const at::Tensor& gradients = group.parameters.gradients();
  const at::Tensor norm = gradients.norm();
  const at::Tensor skip = group.parameters.is_finite(norm).logical_not().to(at::kFloat);
  if (group.config.clip_norm > 0) {
    gradients.mul_((group.config.clip_norm / norm.to(at::kDouble)).clamp_max_(1));
  }
  group.adam.update(gradients, learning_rate_at(id), skip);
  group.average.update(group.parameters.values(), skip);
  const at::Tensor row = ledger_.select(0, num_open_++);
  row.narrow(0, 0, FlatParameters::kTailSize).copy_(group.parameters.tail());
  row.select(0, kNorm).copy_(norm);
  row.select(0, kSkipped).copy_(skip);
}

double Trainer::learning_rate_at(const StepId& id) const {
  const Trained& group = groups_[id.group];
  return kantor::learning_rate_at(group.config, id.group_step, group.num_steps);
}

/// Reads what became of the steps since the last time, in order.
std::vector<StepReport> Trainer::synchronize() {
  context_.world.synchronize();  // has a deadline, which a copy to the host has not
  const at::Tensor rows = ledger_.narrow(0, 0, num_open_).to(at::kCPU);
  const std::int64_t first = step_ - num_open_;
  num_open_ = 0;
  std::vector<StepReport> reports;
  for (std::int64_t k = 0; k < rows.size(0); ++k) {
    const std::span<const double> row(rows.data_ptr<double>() + k * kRowSize, kRowSize);
    reports.push_back(finish(step_id(turns_, first + k), row));
  }
  return reports;
}

StepReport Trainer::finish(const StepId& id, std::span<const double> row) {
  const StepTail totals = FlatParameters::unpack(row.first(FlatParameters::kTailSize));
  const StepReport report = {.step = id.step + 1,
                             .loss = totals.loss,
                             .count = totals.count,
                             .gradient_norm = row[kNorm],
                             .skipped = row[kSkipped] != 0,
                             .stop = totals.stop > 0};
  Trained& group = groups_[id.group];
  group.skipped_in_a_row = report.skipped ? group.skipped_in_a_row + 1 : 0;
  if (group.skipped_in_a_row >= config_.nonfinite_limit) {
    const std::string whose = groups_.size() > 1 ? concat(" of the ", group.name) : "";
    fail_on_all_ranks(
        context_.world,
        NumericError(concat("training met NaN or inf in ", group.skipped_in_a_row, " steps", whose,
                            " in a row up to step ", report.step, " (loss ", report.loss,
                            ", gradient norm ", report.gradient_norm, "); ",
                            objective_.remedy(id.group))));
  }
  return report;
}

bool Trainer::is_logged(const StepId& id) const {
  const std::int64_t num_done = id.group_step + 1;
  return num_done % config_.log_every == 0 || num_done == groups_[id.group].num_steps;
}

/// On the CPU a look costs nothing. On a GPU it waits for all that was asked of it, and nothing
/// else does: so only where someone wants to see numbers, and often enough to stop in time.
bool Trainer::synchronizes_at(const StepId& id) const {
  if (num_open_ == ledger_.size(0)) return true;
  const std::int64_t saves_every = context_.run.checkpoint.every_steps;
  return ledger_.is_cpu() || is_logged(id) || (saves_every > 0 && (id.step + 1) % saves_every == 0);
}

TrainingReport Trainer::run() {
  metrics::Progress progress(
      {.enabled = context_.show_progress, .label = "train", .total = config_.steps});
  const double run_start_s = monotonic_seconds();
  start_s_ = run_start_s - report_.seconds;
  context_.profile.restart();
  if (step_ == 0) save();
  while (step_ < config_.steps) {
    if (!synchronizes_at(advance())) continue;
    bool stop = false;
    for (const StepReport& done : synchronize()) {
      record(done);
      stop = stop || done.stop;
      progress.update(done.step, "loss", done.loss);
    }
    const bool is_last = step_ == config_.steps;
    if (is_last || stop || scope_.due(step_)) save();
    if (stop && !is_last) throw Stopped(scope_.step_of_run(step_));
  }
  progress.finish();
  report_.profile = context_.profile.shares(std::max(monotonic_seconds() - run_start_s, 1e-9));
  context_.world.at_step(0);
  const torch::NoGradGuard no_grad;
  for (const Trained& group : groups_) group.average.copy_to(group.parameters.values());
  return report_;
}

void Trainer::record(const StepReport& done) {
  report_.steps = done.step;
  report_.skipped += done.skipped ? 1 : 0;
  report_.samples += done.count;
  report_.seconds = monotonic_seconds() - start_s_;
  const StepId id = step_id(turns_, done.step - 1);
  if (!is_logged(id)) return;
  context_.metrics.write(scope_.prefix() + groups_[id.group].prefix + "train", done.step,
                         {{"loss", done.loss},
                          {"gradient_norm", done.gradient_norm},
                          {"learning_rate", learning_rate_at(id)},
                          {"samples_per_second", report_.samples / report_.seconds},
                          {"skipped_steps", static_cast<double>(report_.skipped)},
                          {"resident_bytes", static_cast<double>(resident_bytes())}});
}

void Trainer::save() { scope_.save(step_, *this, static_cast<std::int64_t>(report_.samples)); }

void Trainer::describe(const StateFields& fields) {
  fields.add("train.skipped", report_.skipped);
  fields.add("train.samples", report_.samples);
  fields.add("train.seconds", report_.seconds);
  for (Trained& group : groups_) group.describe(fields.within(group.prefix));
  objective_.describe(fields.within(concat(kOfObjective, ".")));
}

void Trainer::Trained::describe(const StateFields& fields) {
  fields.require("parameters", parameters.description());
  fields.add("parameters", parameters.values());
  fields.add("train.skipped_in_a_row", skipped_in_a_row);
  adam.describe(fields);
  average.describe(fields);
}

}  // namespace kantor
