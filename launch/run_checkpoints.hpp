#pragma once

// The checkpoints of one run: when they are due, what is written with them, and how all ranks get
// the newest one back.

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "distributed/context.hpp"
#include "launch/stop_requests.hpp"
#include "runtime/checkpoint/store.hpp"

namespace kantor::launch {

/// What identifies a run in its checkpoints.
struct RunIdentity {
  std::string config_text;  ///< identity_toml()
  std::uint64_t config_hash = 0;
  std::vector<std::uint64_t> data_fingerprints;
  std::vector<std::string> data_names;  ///< for messages
  std::map<std::string, std::string> environment;
};

class RunCheckpoints final : public Checkpoints {
 public:
  /// @param folder RUN/checkpoints. Only rank 0 touches it.
  RunCheckpoints(const RunConfig& run, std::string folder, Communicator& world, Log& log);

  /// The newest valid checkpoint, read by rank 0 and sent to all; damaged ones are named in the
  /// log. Collective. @return its step; nothing if there is no checkpoint file at all.
  /// @throws ConfigError: files, but none is valid; or one of another problem, solver, seed,
  /// precision or data than `identity`.
  std::optional<std::int64_t> load(const RunIdentity& identity);

  /// From here on saves are made. Rank 0: creates the folder, removes what dead runs left.
  /// @param stop         told how long saves take.
  /// @param after_saving called with the step of each save.
  void start(RunIdentity identity, StopRequests& stop,
             std::function<void(std::int64_t)> after_saving);

  const checkpoint::Snapshot* restored() const override {
    return restored_ ? &*restored_ : nullptr;
  }
  /// The newest step that this run has saved or started from; -1 if none.
  std::int64_t newest_step() const { return newest_step_; }
  bool due(std::int64_t step) override;
  void save(checkpoint::Snapshot state) override;

 private:
  void read_newest(const RunIdentity& identity);
  void share_restored();
  void complete(checkpoint::Metadata& metadata) const;

  CheckpointConfig config_;
  std::string backend_;
  std::string device_;
  std::string precision_;
  Communicator& world_;
  Log& log_;
  checkpoint::Store store_;
  RunIdentity identity_;
  StopRequests* stop_ = nullptr;  ///< null: not started, or not rank 0
  std::function<void(std::int64_t)> after_saving_;
  std::optional<checkpoint::Snapshot> restored_;
  double last_save_s_ = 0;
  std::int64_t newest_step_ = -1;
};

}  // namespace kantor::launch
