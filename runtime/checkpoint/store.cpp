#include "runtime/checkpoint/store.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <new>
#include <string_view>
#include <utility>

#include "runtime/checkpoint/checkpoint_file.hpp"
#include "runtime/core/error.hpp"
#include "runtime/core/process.hpp"
#include "runtime/data/atomic_file.hpp"

namespace kantor::checkpoint {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "step-";
constexpr std::string_view kEnding = ".kantor";
constexpr std::size_t kLongestStep = 18;  // digits that fit into 63 bits

/// Names in the folder; none if it does not exist. @throws IoError.
std::vector<std::string> names_in(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code failure;
  if (!fs::exists(folder, failure) && !failure) return names;
  for (fs::directory_iterator at(folder, failure), end; !failure && at != end;
       at.increment(failure)) {
    names.push_back(at->path().filename().string());
  }
  if (failure) throw IoError(concat("cannot read the folder ", folder, ": ", failure.message()));
  return names;
}

struct StoredFile {
  std::int64_t step = -1;  ///< -1 for a name that is not of a step
  std::string path;
};

/// All checkpoint files, newest step first; last those that bear other names.
std::vector<StoredFile> files_in(const std::string& folder) {
  std::vector<StoredFile> files;
  for (const std::string& name : names_in(folder)) {
    if (name.ends_with(kEnding))
      files.push_back({step_of(name).value_or(-1), concat(folder, "/", name)});
  }
  std::sort(files.begin(), files.end(), [](const StoredFile& a, const StoredFile& b) {
    return std::pair(b.step, a.path) < std::pair(a.step, b.path);
  });
  return files;
}

/// The state of the step in the name, or it is another file by it. @throws DataError, IoError.
Snapshot read_stored(const StoredFile& file, data::FileSystem& files, bool with_data) {
  Snapshot snapshot =
      with_data ? read_checkpoint(file.path, files) : read_outline(file.path, files);
  if (snapshot.metadata.step != file.step) {
    throw DataError(concat("cannot use ", file.path, ": it holds step ", snapshot.metadata.step,
                           ", so its name should be ", file_name_of(snapshot.metadata.step)));
  }
  return snapshot;
}

}  // namespace

std::string file_name_of(std::int64_t step) {
  char name[64];
  std::snprintf(name, sizeof name, "step-%08lld.kantor", static_cast<long long>(step));
  return name;
}

std::optional<std::int64_t> step_of(const std::string& file_name) {
  const std::string_view name = file_name;
  if (!name.starts_with(kPrefix) || !name.ends_with(kEnding)) return std::nullopt;
  if (name.size() <= kPrefix.size() + kEnding.size()) return std::nullopt;
  const auto digits = name.substr(kPrefix.size(), name.size() - kPrefix.size() - kEnding.size());
  if (digits.size() > kLongestStep) return std::nullopt;
  std::int64_t step = 0;
  const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), step);
  if (failure != std::errc() || end != digits.data() + digits.size() || step < 0) {
    return std::nullopt;
  }
  // One name per step, so that no file hides behind another.
  if (file_name_of(step) != file_name) return std::nullopt;
  return step;
}

Store::Store(StoreConfig config, std::unique_ptr<data::FileSystem> files)
    : config_(std::move(config)), files_(std::move(files)) {
  KANTOR_CHECK(!config_.folder.empty() && config_.keep >= 2, "a store in '", config_.folder,
               "' that keeps ", config_.keep, " checkpoints, at least 2 are needed");
}

void Store::prepare() {
  std::error_code failure;
  fs::create_directories(config_.folder, failure);
  if (failure) {
    throw IoError(concat("cannot create the folder ", config_.folder, ": ", failure.message()));
  }
  data::remove_asides(config_.folder, kEnding, *files_);
  // Never committed: it only shows that a save can begin, before hours of work rely on it.
  data::AtomicFile probe(config_.folder + "/probe.kantor", *files_);
  probe.write(std::as_bytes(std::span("kantor")));
}

SaveReport Store::save(const Snapshot& snapshot) {
  const std::int64_t step = snapshot.metadata.step;
  const double start = monotonic_seconds();
  SaveReport report;
  report.path = config_.folder + "/" + file_name_of(step);
  try {
    known_valid_.erase(report.path);
    write_making_room(snapshot, report);
    known_valid_.insert(report.path);
    report.is_saved = true;
  } catch (const IoError& error) {
    report.reason = error.what();
  } catch (const DataError& error) {  // what was read back
    report.reason = error.what();
  } catch (const std::bad_alloc&) {
    report.reason = concat("cannot write ", report.path, ": not enough memory for a copy");
  }
  consecutive_failures_ = report.is_saved ? 0 : consecutive_failures_ + 1;
  report.consecutive_failures = consecutive_failures_;
  if (report.is_saved) {
    try {
      remove_old(step);
    } catch (const IoError& error) {
      report.reason = error.what();
    }
  }
  report.seconds = monotonic_seconds() - start;
  return report;
}

/// Old files of this run are the first to go where they fill the disk.
void Store::write_making_room(const Snapshot& snapshot, SaveReport& report) {
  while (true) {
    std::vector<std::byte> bytes = encode(snapshot);
    report.file_bytes = static_cast<std::int64_t>(bytes.size());
    try {
      return write_checkpoint(report.path, std::move(bytes), *files_);
    } catch (const data::NoSpaceError&) {
      const std::string oldest = oldest_dispensable(snapshot.metadata.step);
      if (oldest.empty()) throw;
      remove(oldest);
      ++report.num_given_up;
    }
  }
}

/// The oldest file before the newest valid one, which stays whatever happens; "" if there is none.
std::string Store::oldest_dispensable(std::int64_t newest_step) {
  bool has_valid = false;
  std::string oldest;
  for (const StoredFile& file : files_in(config_.folder)) {
    if (file.step < 0 || file.step > newest_step) continue;
    if (has_valid) oldest = file.path;
    has_valid = has_valid || is_valid(file.path, file.step);
  }
  return oldest;
}

void Store::remove(const std::string& path) {
  if (files_->unlink(path.c_str()) != 0 && errno != ENOENT) {
    throw IoError(concat("cannot remove ", path, ": ", std::strerror(errno)));
  }
  known_valid_.erase(path);
}

// Files of later steps are damaged ones of a run that was cut there, or the run was set back by
// hand: they do not count, and go when this run is past them.
void Store::remove_old(std::int64_t newest_step) {
  std::int64_t num_valid = 0;
  for (const StoredFile& file : files_in(config_.folder)) {
    if (file.step < 0 || file.step > newest_step) continue;
    if (num_valid < config_.keep) {
      num_valid += is_valid(file.path, file.step) ? 1 : 0;
      continue;
    }
    remove(file.path);
  }
}

// Read once; a damaged file is none that the next start could fall back to.
bool Store::is_valid(const std::string& path, std::int64_t step) {
  if (known_valid_.contains(path)) return true;
  try {
    read_stored({step, path}, *files_, false);
  } catch (const Error&) {
    return false;
  } catch (const std::bad_alloc&) {
    return false;
  }
  known_valid_.insert(path);
  return true;
}

Store::Found Store::newest_valid() {
  Found found;
  for (const StoredFile& file : files_in(config_.folder)) {
    std::string reason;
    try {
      if (file.step < 0) {
        throw DataError(concat("cannot use ", file.path, ": its name is not step-NNNNNNNN.kantor"));
      }
      found.snapshot = read_stored(file, *files_, true);
      found.path = file.path;
      known_valid_.insert(file.path);
      return found;
    } catch (const Error& error) {
      reason = error.what();
    } catch (const std::bad_alloc&) {
      reason = concat("cannot read ", file.path, ": not enough memory");
    }
    found.rejected.push_back({file.path, reason});
  }
  if (found.rejected.empty()) return found;
  std::string reasons;
  for (const Rejected& each : found.rejected) reasons += "; " + each.reason;
  throw ConfigError(concat("none of the ", found.rejected.size(), " checkpoints in ",
                           config_.folder, " is valid, so the run cannot go on", reasons,
                           "; to start over, choose another folder with --out"));
}

}  // namespace kantor::checkpoint
