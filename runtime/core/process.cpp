#include "runtime/core/process.hpp"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "runtime/core/error.hpp"
#include "runtime/core/memory_limits.hpp"

namespace kantor {
namespace {

/// A line like "VmHWM:   1234 kB" of a file below /proc, in bytes.
std::int64_t proc_bytes(const char* file, std::string_view name) {
  std::ifstream lines(file);
  std::string line;
  while (std::getline(lines, line)) {
    if (!line.starts_with(name) || line.size() <= name.size() || line[name.size()] != ':') continue;
    return 1024 * static_cast<std::int64_t>(std::stoll(line.substr(name.size() + 1)));
  }
  throw IoError(concat(file, " has no ", name, " line; is /proc mounted?"));
}

}  // namespace

std::int64_t resident_bytes() { return proc_bytes("/proc/self/status", "VmRSS"); }

// getrusage would do for the peak, but it starts from the peak of the program that exec replaced.
std::int64_t peak_resident_bytes() { return proc_bytes("/proc/self/status", "VmHWM"); }

std::int64_t available_memory_bytes() {
  std::ifstream file("/proc/self/cgroup");  // not there on every host
  const std::string memberships{std::istreambuf_iterator<char>(file), {}};
  return std::min(proc_bytes("/proc/meminfo", "MemAvailable"),
                  memory_left_by_cgroups("/sys/fs/cgroup", memberships));
}

int num_available_cores() {
  // The kernel refuses a mask shorter than its own: grow until it fits.
  for (std::size_t num_sets = 1; num_sets <= 1024; num_sets *= 2) {
    std::vector<cpu_set_t> mask(num_sets);
    const std::size_t bytes = num_sets * sizeof(cpu_set_t);
    if (sched_getaffinity(0, bytes, mask.data()) == 0) return CPU_COUNT_S(bytes, mask.data());
    if (errno != EINVAL) break;
  }
  const auto cores = static_cast<int>(std::thread::hardware_concurrency());
  return cores > 0 ? cores : 1;
}

std::string cpu_model() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("model name")) {
      const auto colon = line.find(": ");
      if (colon != std::string::npos) return line.substr(colon + 2);
    }
  }
  return "unknown";
}

std::string host_name() {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0) {
    throw IoError(concat("cannot read the host name: ", std::strerror(errno)));
  }
  return name.data();
}

double monotonic_seconds() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double>(now).count();
}

}  // namespace kantor
