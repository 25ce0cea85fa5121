#include "runtime/checkpoint/run_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "runtime/core/error.hpp"
#include "runtime/core/process.hpp"

namespace kantor::checkpoint {
namespace {

constexpr const char* kName = "/LOCK";
// is_held() has the lock for a moment; a run that starts then must not take it for another run.
constexpr double kShortPatience_s = 0.1;
constexpr double kPause_s = 0.005;
constexpr timespec kPause = {.tv_sec = 0, .tv_nsec = 5'000'000};

enum class Outcome { taken, held_by_another, unsupported };

Outcome try_lock(data::FileSystem& files, int fd, int operation, const std::string& path) {
  int outcome = 0;
  do {
    outcome = files.lock(fd, operation | LOCK_NB);
  } while (outcome != 0 && errno == EINTR);
  if (outcome == 0) return Outcome::taken;
  if (errno == EWOULDBLOCK) return Outcome::held_by_another;
  if (errno == ENOSYS || errno == EOPNOTSUPP || errno == ENOLCK) return Outcome::unsupported;
  throw IoError(concat("cannot lock ", path, ": ", std::strerror(errno)));
}

/// "pid 123 on host a", or "unknown".
std::string holder(data::FileSystem& files, int fd) {
  std::array<char, 512> text{};
  const ssize_t count = files.read(fd, text.data(), text.size());
  std::string_view line(text.data(), count > 0 ? static_cast<std::size_t>(count) : 0);
  line = line.substr(0, line.find('\n'));
  const bool is_readable = !line.empty() && std::all_of(line.begin(), line.end(), [](char c) {
    return c >= ' ' && c <= '~';
  });
  return is_readable ? std::string(line) : "unknown";
}

/// For people: what is in the file decides nothing.
void write_holder(data::FileSystem& files, int fd, const std::string& path) {
  const std::string text = concat("pid ", ::getpid(), " on host ", host_name(), "\n");
  ssize_t written = -1;
  if (files.truncate(fd, 0) == 0) {
    do {
      written = files.write(fd, text.data(), text.size());
    } while (written < 0 && errno == EINTR);
  }
  if (written < 0) {
    throw IoError(concat("cannot write ", path, ": ", std::strerror(errno)));
  }
}

}  // namespace

RunLock::RunLock(const std::string& run_directory, double patience_s) : files_(kernel_) {
  acquire(run_directory, patience_s);
}

RunLock::RunLock(const std::string& run_directory, data::FileSystem& files) : files_(files) {
  acquire(run_directory, kShortPatience_s);
}

void RunLock::acquire(const std::string& run_directory, double patience_s) {
  const std::string path = run_directory + kName;
  file_ = std::make_unique<data::Descriptor>(files_, path, O_RDWR | O_CREAT, 0666);
  if (!file_->is_open()) {
    throw IoError(concat("cannot open ", path, ": ", std::strerror(errno)));
  }
  Outcome outcome = try_lock(files_, file_->get(), LOCK_EX, path);
  const auto num_attempts = static_cast<int>(patience_s / kPause_s);
  for (int i = 0; i < num_attempts && outcome == Outcome::held_by_another; ++i) {
    ::nanosleep(&kPause, nullptr);
    outcome = try_lock(files_, file_->get(), LOCK_EX, path);
  }
  if (outcome == Outcome::held_by_another) {
    throw ConfigError(concat("another run is writing ", run_directory, " (",
                             holder(files_, file_->get()),
                             "); wait for it, stop it, or choose another folder with --out"));
  }
  is_enforced_ = outcome == Outcome::taken;
  write_holder(files_, file_->get(), path);
}

bool RunLock::is_held(const std::string& run_directory) {
  const std::string path = run_directory + kName;
  data::FileSystem files;
  const data::Descriptor file(files, path, O_RDONLY);
  if (!file.is_open() && errno == ENOENT) return false;
  if (!file.is_open()) throw IoError(concat("cannot open ", path, ": ", std::strerror(errno)));
  return try_lock(files, file.get(), LOCK_SH, path) == Outcome::held_by_another;
}

}  // namespace kantor::checkpoint
