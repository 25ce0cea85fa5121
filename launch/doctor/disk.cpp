#include "launch/doctor/disk.hpp"

#include <stdlib.h>
#include <sys/statvfs.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>
#include <span>

#include "launch/doctor/check.hpp"
#include "runtime/checkpoint/run_lock.hpp"
#include "runtime/core/error.hpp"
#include "runtime/core/process.hpp"
#include "runtime/core/text.hpp"
#include "runtime/data/atomic_file.hpp"

namespace kantor::launch {
namespace {

namespace fs = std::filesystem;

constexpr double kLittleSpace = 1e9;  // bytes
constexpr double kSlowFile_s = 2;     // to make 1 MB durable

/// A new folder that goes when this does.
class Scratch {
 public:
  /// @throws IoError.
  explicit Scratch(const fs::path& where) {
    std::string name = (where / ".kantor-doctor-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) {
      throw IoError(concat("cannot write in ", where.string(), ": ", std::strerror(errno)));
    }
    path_ = name;
  }
  ~Scratch() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// The folder itself, or what is there of the way to it.
fs::path nearest_existing(const std::string& out) {
  fs::path folder = fs::absolute(out).lexically_normal();
  std::error_code ignored;
  while (!fs::exists(folder, ignored) && folder.has_relative_path()) folder = folder.parent_path();
  return folder;
}

Check check_space(const std::string& out, const fs::path& folder) {
  Check check{.name = "run directory", .text = concat("can be written in ", folder.string())};
  struct statvfs facts {};
  if (statvfs(folder.c_str(), &facts) != 0) {
    throw IoError(
        concat("cannot ask ", folder.string(), " for free space: ", std::strerror(errno)));
  }
  const double bytes = static_cast<double>(facts.f_bavail) * static_cast<double>(facts.f_frsize);
  check.text += concat(", ", format_bytes(bytes), " free");
  if (bytes < kLittleSpace) {
    check.verdict = Verdict::warn;
    check.remedy = concat("make room, or choose another place than ", out, " with --out");
  }
  return check;
}

Check check_durable_file(const std::string& folder) {
  const std::vector<std::byte> megabyte(1'000'000, std::byte{1});
  const double start_s = monotonic_seconds();
  data::AtomicFile file(folder + "/file");
  file.write(megabyte);
  file.commit();
  const double seconds = monotonic_seconds() - start_s;
  Check check{.name = "fsync",
              .text = concat("1 MB written, synchronised and renamed in ",
                             short_number(1e3 * seconds), " ms")};
  if (seconds > kSlowFile_s) {
    check.verdict = Verdict::warn;
    check.remedy =
        "each checkpoint waits as long: choose a faster disk with --out, or raise "
        "run.checkpoint.every_seconds";
  }
  return check;
}

Check check_lock(const std::string& folder) {
  const checkpoint::RunLock lock(folder);
  Check check{.name = "lock", .text = "a second run in one directory would be refused"};
  if (!checkpoint::RunLock::is_held(folder)) {
    check.verdict = Verdict::warn;
    check.text = "a second run in one directory would not be noticed";
    check.remedy = "start only one in each, or choose another file system with --out";
  } else if (!lock.is_by_kernel()) {
    check.verdict = Verdict::warn;
    check.text =
        "this file system knows no locks (flock): a file with a heartbeat keeps runs apart";
    check.remedy =
        "after a kill on another host a run can go on a minute later: mount it with locks, or "
        "choose another file system with --out";
  }
  return check;
}

}  // namespace

std::vector<Check> check_disk(const std::string& out) {
  const std::string remedy = "choose another folder with --out";
  std::optional<Scratch> scratch;
  std::vector<Check> checks;
  checks.push_back(attempt_check("run directory", [&]() -> Check {
    const fs::path folder = nearest_existing(out);
    std::error_code ignored;
    if (!fs::is_directory(folder, ignored)) {
      throw IoError(concat(folder.string(), " is not a folder"));
    }
    scratch.emplace(folder);
    return check_space(out, folder);
  }));
  if (checks.back().verdict == Verdict::fail) checks.back().remedy = remedy;
  if (!scratch) return checks;
  checks.push_back(attempt_check("fsync", [&] { return check_durable_file(scratch->path()); }));
  checks.push_back(attempt_check("lock", [&] { return check_lock(scratch->path()); }));
  return checks;
}

}  // namespace kantor::launch
