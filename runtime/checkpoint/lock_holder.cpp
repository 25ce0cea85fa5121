#include "runtime/checkpoint/lock_holder.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string_view>

#include "runtime/core/error.hpp"
#include "runtime/core/process.hpp"

namespace kantor::checkpoint {
namespace {

/// Where numbers of processes mean the same: the start of the kernel, and the container.
std::string namespace_of_pids() {
  std::string boot;
  std::ifstream("/proc/sys/kernel/random/boot_id") >> boot;
  std::array<char, 64> name{};
  const ssize_t size = ::readlink("/proc/self/ns/pid", name.data(), name.size());
  return boot.empty() || size <= 0
             ? ""
             : concat(boot, "/", std::string_view(name.data(), static_cast<std::size_t>(size)));
}

/// In clock ticks since the kernel's start; "" if there is no such process, or only its exit code.
std::string start_of(const std::string& pid) {
  std::ifstream file(concat("/proc/", pid, "/stat"));
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  // The second field is the program's name, which may hold spaces and brackets; this is the 22nd.
  const auto name_end = text.rfind(')');
  if (name_end == std::string::npos) return "";
  std::istringstream fields(text.substr(name_end + 1));
  std::string state, field;
  fields >> state;
  for (int i = 4; i <= 22; ++i) fields >> field;
  return fields && state != "Z" ? field : "";
}

}  // namespace

std::string own_lock_text() {
  const std::string pid = std::to_string(::getpid());
  const std::string place = namespace_of_pids();
  return concat("pid ", pid, " on host ", host_name(), "\n",
                place.empty() ? "" : concat("started ", start_of(pid), " in ", place, "\n"));
}

std::string read_lock(data::FileSystem& files, int fd) {
  std::array<char, 512> text{};
  ssize_t count = -1;
  do {
    count = files.read(fd, text.data(), text.size());
  } while (count < 0 && errno == EINTR);
  return std::string(text.data(), count > 0 ? static_cast<std::size_t>(count) : 0);
}

void write_lock(data::FileSystem& files, int fd, const std::string& text, const std::string& path) {
  ssize_t written = -1;
  if (files.truncate(fd, 0) == 0 && ::lseek(fd, 0, SEEK_SET) == 0) {
    do {
      written = files.write(fd, text.data(), text.size());
    } while (written < 0 && errno == EINTR);
  }
  if (written < 0) throw IoError(concat("cannot write ", path, ": ", std::strerror(errno)));
}

std::string holder_name(const std::string& text) {
  const std::string line = text.substr(0, text.find('\n'));
  const bool is_readable = !line.empty() && std::all_of(line.begin(), line.end(), [](char c) {
    return c >= ' ' && c <= '~';
  });
  return is_readable ? line : "unknown";
}

Life life_of(const std::string& text) {
  std::istringstream words(text);
  std::string pid, start, place, word;
  words >> word >> pid >> word >> word >> word >> word >> start >> word >> place;
  const std::string here = namespace_of_pids();
  if (!words || here.empty() || place != here || pid.empty() ||
      !std::all_of(pid.begin(), pid.end(), [](char c) { return c >= '0' && c <= '9'; })) {
    return Life::unknown;
  }
  return start_of(pid) == start ? Life::alive : Life::dead;
}

}  // namespace kantor::checkpoint
