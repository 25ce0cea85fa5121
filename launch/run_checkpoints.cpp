#include "launch/run_checkpoints.hpp"

#include <ctime>
#include <filesystem>

#include "distributed/collectively.hpp"
#include "launch/identity.hpp"
#include "runtime/checkpoint/checkpoint_file.hpp"
#include "runtime/core/instruction_set.hpp"
#include "runtime/core/process.hpp"
#include "runtime/core/text.hpp"

namespace kantor::launch {
namespace {

constexpr int kMostFailures = 3;  // saves in a row

/// @param path RUN/checkpoints/NAME.
void check_identity(const checkpoint::Metadata& stored, const RunIdentity& mine,
                    const std::string& path) {
  const std::string difference = difference_of(stored.config_text, mine.config_text);
  if (!difference.empty()) {
    const std::string run = std::filesystem::path(path).parent_path().parent_path().string();
    throw ConfigError(concat("cannot go on from ", path, ": ", difference,
                             "; resume with the settings of the run (`kantor run ", run,
                             "/resolved.toml --out ", run, " --resume`; `kantor inspect ", run,
                             "` tells its command), or choose another --out"));
  }
  for (std::size_t i = 0; i < mine.data_fingerprints.size(); ++i) {
    if (i < stored.data_fingerprints.size() &&
        stored.data_fingerprints[i] == mine.data_fingerprints[i]) {
      continue;
    }
    throw ConfigError(concat("cannot go on from ", path, ": the data have changed since: ",
                             mine.data_names[i], " (marginal ", i, "), or its weights or labels; ",
                             "restore the files, or start over in another --out"));
  }
}

/// What a run is told that goes on with other instructions than it was saved with, or "".
std::string other_instruction_set(const checkpoint::Metadata& stored, const RunIdentity& mine) {
  const auto then = stored.environment.find("instruction_set");
  if (then == stored.environment.end()) return "";
  const std::string& now = mine.environment.at("instruction_set");
  if (then->second == now) return "";
  return concat(
      "the run was saved by a process with instruction set ", then->second, " and goes on with ",
      now, ": its numbers will be those of an undisturbed run up to rounding, not to the bit (",
      kInstructionSetVariable, "=", then->second, " keeps the bits, where the processor ",
      "has it)");
}

}  // namespace

RunCheckpoints::RunCheckpoints(const RunConfig& run, std::string folder, Communicator& world,
                               Log& log)
    : config_(run.checkpoint),
      backend_(world.backend_name()),
      device_(run.device),
      precision_(run.precision),
      world_(world),
      log_(log),
      store_({.folder = std::move(folder), .keep = run.checkpoint.keep}) {}

std::optional<std::int64_t> RunCheckpoints::load(const RunIdentity& identity) {
  collectively(world_, "reading the newest checkpoint", [&] {
    if (world_.rank() == 0) read_newest(identity);
  });
  share_restored();
  if (!restored_) return std::nullopt;
  newest_step_ = restored_->metadata.step;
  return newest_step_;
}

void RunCheckpoints::read_newest(const RunIdentity& identity) {
  checkpoint::Store::Found found = store_.newest_valid();
  for (const checkpoint::Store::Rejected& rejected : found.rejected) {
    log_.warn(concat("checkpoint ", rejected.path, " is skipped: ", rejected.reason));
  }
  if (found.snapshot) {
    check_identity(found.snapshot->metadata, identity, found.path);
    const std::string note = other_instruction_set(found.snapshot->metadata, identity);
    if (!note.empty()) log_.warn(note);
  }
  restored_ = std::move(found.snapshot);
}

/// Only rank 0's file system is known to hold the run directory.
void RunCheckpoints::share_restored() {
  std::vector<std::byte> bytes;
  if (restored_) bytes = checkpoint::encode(*restored_);
  std::int64_t size = std::ssize(bytes);
  world_.broadcast(std::span<std::int64_t>(&size, 1), 0, "size of the checkpoint");
  if (size == 0) return;
  bytes.resize(static_cast<std::size_t>(size));
  world_.broadcast(std::span<std::byte>(bytes), 0, "checkpoint");
  if (!restored_) restored_ = checkpoint::decode(bytes);
}

void RunCheckpoints::start(RunIdentity identity, StopRequests& stop,
                           std::function<void(std::int64_t)> after_saving) {
  identity_ = std::move(identity);
  after_saving_ = std::move(after_saving);
  last_save_s_ = monotonic_seconds();
  if (world_.rank() != 0) return;
  stop_ = &stop;
  store_.prepare();
}

bool RunCheckpoints::due(std::int64_t step) {
  if (stop_ == nullptr) return false;
  if (config_.every_steps > 0 && step % config_.every_steps == 0) return true;
  return config_.every_seconds > 0 && monotonic_seconds() - last_save_s_ >= config_.every_seconds;
}

void RunCheckpoints::save(checkpoint::Snapshot state) {
  if (stop_ == nullptr) return;
  complete(state.metadata);
  const checkpoint::SaveReport report = store_.save(state);
  last_save_s_ = monotonic_seconds();
  stop_->note_save(report.seconds);
  if (report.num_given_up > 0) {
    log_.warn(concat("the disk is full: gave up ", report.num_given_up, " older checkpoint",
                     report.num_given_up > 1 ? "s" : "", " for that of step ", state.metadata.step,
                     "; make room, or lower run.checkpoint.keep"));
  }
  if (!report.is_saved) {
    const std::string what =
        concat("checkpoint of step ", state.metadata.step, " could not be written (",
               report.consecutive_failures, " of ", kMostFailures, " in a row): ", report.reason);
    if (report.consecutive_failures >= kMostFailures) throw IoError(what);
    log_.warn(what);
    return;
  }
  log_.detail(concat("saved ", report.path, ", ",
                     format_bytes(static_cast<double>(report.file_bytes)), " in ",
                     format_seconds(report.seconds)));
  if (!report.reason.empty()) log_.warn(concat(report.path, ": ", report.reason));
  newest_step_ = state.metadata.step;
  after_saving_(newest_step_);
}

void RunCheckpoints::complete(checkpoint::Metadata& metadata) const {
  metadata.world_size = world_.size();
  metadata.backend = backend_;
  metadata.device = device_;
  metadata.precision = precision_;
  metadata.config_text = identity_.config_text;
  metadata.config_hash = identity_.config_hash;
  metadata.data_fingerprints = identity_.data_fingerprints;
  metadata.written_unix_s = static_cast<std::int64_t>(std::time(nullptr));
  metadata.environment.insert(identity_.environment.begin(), identity_.environment.end());
}

}  // namespace kantor::launch
