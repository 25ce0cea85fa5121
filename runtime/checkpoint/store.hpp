#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "runtime/checkpoint/snapshot.hpp"
#include "runtime/data/file_system.hpp"

namespace kantor::checkpoint {

struct StoreConfig {
  std::string folder;     ///< RUN/checkpoints
  std::int64_t keep = 3;  ///< valid files that stay, at least 2
};

struct SaveReport {
  bool is_saved = false;
  std::string path;
  std::string reason;            ///< why it failed; of a saved one, why old files were not removed
  int consecutive_failures = 0;  ///< with this one; 0 once a save succeeds
  int num_given_up = 0;  ///< older files removed before their time, because the disk is full
  std::int64_t file_bytes = 0;
  double seconds = 0;
};

/// The checkpoints of a run: `step-00001000.kantor`, one per saved step. One process writes; it
/// holds the RunLock of the run directory. What is newest follows from the step in the name, never
/// from a clock.
class Store {
 public:
  explicit Store(StoreConfig config,
                 std::unique_ptr<data::FileSystem> files = std::make_unique<data::FileSystem>());

  /// For the writer, before its first step: creates the folder, tries whether files can be written
  /// in it, removes asides (`*.tmp.<pid>`) that dead processes left. @throws IoError.
  void prepare();

  /// Writes the file of the snapshot's step, then removes what is older than the newest `keep`
  /// valid ones. Where the disk is full, older files are given up first, but the newest valid one.
  /// Failures of the file system and lack of memory are reported, not thrown: older files are
  /// untouched then, and the next save may succeed.
  /// @throws ValueError if the snapshot cannot be stored at all (a mistake of the caller).
  SaveReport save(const Snapshot& snapshot);

  struct Rejected {
    std::string path;
    std::string reason;
  };
  struct Found {
    std::optional<Snapshot> snapshot;  ///< nothing if there is no checkpoint file at all
    std::string path;
    std::vector<Rejected> rejected;  ///< newer than it
  };
  /// The newest checkpoint that is valid.
  /// @throws ConfigError if there are files but none is valid (naming each and its reason): such a
  /// run must not start over unseen; IoError if the folder cannot be read.
  Found newest_valid();

 private:
  void write_making_room(const Snapshot& snapshot, SaveReport& report);
  std::string oldest_dispensable(std::int64_t newest_step);
  void remove(const std::string& path);
  void remove_old(std::int64_t newest_step);
  bool is_valid(const std::string& path, std::int64_t step);

  StoreConfig config_;
  std::unique_ptr<data::FileSystem> files_;
  std::set<std::string> known_valid_;  ///< paths read or written whole by this object
  int consecutive_failures_ = 0;
};

/// "step-00001000.kantor".
std::string file_name_of(std::int64_t step);

/// The step of such a name; nothing for any other.
std::optional<std::int64_t> step_of(const std::string& file_name);

}  // namespace kantor::checkpoint
