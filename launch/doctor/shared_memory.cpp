#include "launch/doctor/shared_memory.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <ctime>
#include <filesystem>
#include <fstream>
#include <set>
#include <string_view>
#include <vector>

#include "runtime/core/error.hpp"
#include "runtime/core/text.hpp"

namespace kantor::launch {
namespace {

namespace fs = std::filesystem;

constexpr std::time_t kYoung_s = 60;  // may be about to be mapped

bool is_of_mpi(std::string_view name) {
  for (const std::string_view beginning : {"vader_segment.", "sm_segment.", "osc_sm.", "nccl-"}) {
    if (name.starts_with(beginning)) return true;
  }
  return false;
}

/// Files of the folder that a living process has mapped, as far as this one may look.
std::set<std::string> mapped_in(const std::string& folder) {
  std::set<std::string> paths;
  std::error_code ignored;
  for (const auto& process : fs::directory_iterator("/proc", ignored)) {
    const std::string name = process.path().filename().string();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    std::ifstream maps(process.path() / "maps");
    for (std::string line; std::getline(maps, line);) {
      const auto at = line.find(folder + "/");
      if (at != std::string::npos) paths.insert(line.substr(at));
    }
  }
  return paths;
}

}  // namespace

Check check_shared_memory(const std::string& folder) {
  const std::set<std::string> mapped = mapped_in(folder);
  std::vector<std::string> left;
  double bytes = 0;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    const std::string path = entry.path().string();
    struct stat facts {};
    if (!is_of_mpi(entry.path().filename().string()) || ::lstat(path.c_str(), &facts) != 0 ||
        !S_ISREG(facts.st_mode) || facts.st_uid != ::geteuid() ||
        std::time(nullptr) - facts.st_mtim.tv_sec < kYoung_s || mapped.contains(path)) {
      continue;
    }
    left.push_back(path);
    bytes += static_cast<double>(facts.st_size);
  }
  Check check{.name = "shared memory", .text = concat("nothing of dead ranks is in ", folder)};
  if (left.empty()) return check;
  check.verdict = Verdict::warn;
  check.text = concat(left.size(), " file", left.size() > 1 ? "s" : "", " of dead ranks, ",
                      format_bytes(bytes), ", in ", folder);
  constexpr std::size_t kMostNamed = 4;
  const bool is_cut = left.size() > kMostNamed;
  if (is_cut) left.resize(kMostNamed);
  check.remedy = concat("remove ", join(left), is_cut ? ", .." : "",
                        "; under launch/supervise.sh a run leaves none");
  return check;
}

}  // namespace kantor::launch
