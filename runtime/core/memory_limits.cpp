#include "runtime/core/memory_limits.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <optional>
#include <sstream>

namespace kantor {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kNoLimit = std::numeric_limits<std::int64_t>::max();

struct GroupFiles {
  const char* limit;
  const char* usage;
  const char* active;  ///< keys in memory.stat: pages of files, in use lately and not
  const char* inactive;
};
constexpr GroupFiles kVersion1{"memory.limit_in_bytes", "memory.usage_in_bytes",
                               "total_active_file", "total_inactive_file"};
constexpr GroupFiles kVersion2{"memory.max", "memory.current", "active_file", "inactive_file"};

/// Nothing for "max", or if there is no such file.
std::optional<std::int64_t> number_in(const fs::path& file) {
  std::ifstream stream(file);
  std::int64_t number = 0;
  if (stream >> number) return number;
  return std::nullopt;
}

/// What the kernel would give up without harm: of the pages in use half, as MemAvailable has it.
std::int64_t reclaimable(const fs::path& folder, const GroupFiles& files) {
  std::ifstream stream(folder / "memory.stat");
  std::int64_t sum = 0;
  std::string key;
  for (std::int64_t value = 0; stream >> key >> value;) {
    if (key == files.inactive) sum += value;
    if (key == files.active) sum += value / 2;
  }
  return sum;
}

std::int64_t left_in(const fs::path& folder, const GroupFiles& files) {
  const auto limit = number_in(folder / files.limit);
  const auto usage = number_in(folder / files.usage);
  if (!limit || !usage) return kNoLimit;
  const std::int64_t used = std::max<std::int64_t>(*usage - reclaimable(folder, files), 0);
  return std::max<std::int64_t>(*limit - used, 0);
}

bool holds_memory(const std::string& controllers) {
  std::istringstream list(controllers);
  for (std::string each; std::getline(list, each, ',');) {
    if (each == "memory") return true;
  }
  return false;
}

}  // namespace

std::int64_t memory_left_by_cgroups(const fs::path& mount, const std::string& memberships) {
  std::int64_t left = kNoLimit;
  std::istringstream lines(memberships);
  std::string id, controllers, path;
  while (std::getline(lines, id, ':') && std::getline(lines, controllers, ':') &&
         std::getline(lines, path)) {
    const bool is_version2 = controllers.empty();
    if (!is_version2 && !holds_memory(controllers)) continue;
    const fs::path top = is_version2 ? mount : mount / "memory";
    fs::path folder = top;
    left = std::min(left, left_in(top, is_version2 ? kVersion2 : kVersion1));
    for (const fs::path& part : fs::path(path).relative_path()) {
      folder /= part;  // in a container it may name what only the host sees
      left = std::min(left, left_in(folder, is_version2 ? kVersion2 : kVersion1));
    }
  }
  return left;
}

std::int64_t memory_left_by_ulimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return kNoLimit;
  const auto pages = number_in("/proc/self/statm").value_or(0);
  const auto most =
      static_cast<std::int64_t>(std::min<rlim_t>(limit.rlim_cur, static_cast<rlim_t>(kNoLimit)));
  return std::max<std::int64_t>(most - pages * sysconf(_SC_PAGESIZE), 0);
}

}  // namespace kantor
