#include "runtime/checkpoint/run_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "runtime/checkpoint/lock_holder.hpp"
#include "runtime/core/error.hpp"
#include "runtime/core/process.hpp"
#include "runtime/core/text.hpp"

namespace kantor::checkpoint {
namespace {

constexpr const char* kName = "/LOCK";
// is_held() has the lock for a moment; a run that starts then must not take it for another run.
constexpr double kShortPatience_s = 0.1;
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

/// For a run that was stopped (SIGSTOP, a laptop that slept) until its lock was taken over.
[[noreturn]] void leave_to_the_other(const std::string& run_directory) {
  const std::string line = concat(
      "kantor: error: another run has taken over ", run_directory, ", since this one gave no sign ",
      "of life for ", HeartbeatLock::kStale_s, " s; it ends here and leaves the folder to that\n");
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
  ::_exit(static_cast<int>(ExitCode::config));
}

[[noreturn]] void refuse(const std::string& run_directory, const std::string& holder,
                         const std::string& hint) {
  throw ConfigError(concat("another run is writing ", run_directory, " (", holder,
                           "); wait for it, stop it, or choose another folder with --out", hint));
}

}  // namespace

RunLock::RunLock(const std::string& run_directory, double wait_s) : files_(kernel_) {
  acquire(run_directory, wait_s);
}

RunLock::RunLock(const std::string& run_directory, data::FileSystem& files) : files_(files) {
  acquire(run_directory, kShortPatience_s);
}

void RunLock::acquire(const std::string& run_directory, double wait_s) {
  const std::string path = run_directory + kName;
  file_ = std::make_unique<data::Descriptor>(files_, path, O_RDWR | O_CREAT, 0666);
  if (!file_->is_open()) {
    throw IoError(concat("cannot open ", path, ": ", std::strerror(errno)));
  }
  const double end_s = monotonic_seconds() + wait_s;  // an attempt itself may take long
  HeartbeatLock::Holder holder;
  const auto attempt = [&] {
    const Outcome outcome = try_lock(files_, file_->get(), LOCK_EX, path);
    if (outcome != Outcome::unsupported) return outcome;
    heartbeat_ = HeartbeatLock::take(run_directory, files_, holder,
                                     [run_directory] { leave_to_the_other(run_directory); });
    return heartbeat_ ? Outcome::taken : Outcome::held_by_another;
  };
  Outcome outcome = attempt();
  while (outcome == Outcome::held_by_another && monotonic_seconds() < end_s) {
    ::nanosleep(&kPause, nullptr);
    outcome = attempt();
  }
  if (outcome == Outcome::held_by_another) {
    const bool is_guess = !holder.name.empty() && !holder.is_here;
    refuse(run_directory,
           holder.name.empty() ? holder_name(read_lock(files_, file_->get())) : holder.name,
           is_guess ? concat("; if it is dead, its lock ends ", HeartbeatLock::kStale_s,
                             " s after its last sign of life, which is ",
                             format_seconds(holder.age_s), " old")
                    : "");
  }
  write_lock(files_, file_->get(), own_lock_text(), path);  // for people: decides nothing
}

bool RunLock::is_held(const std::string& run_directory) {
  const std::string path = run_directory + kName;
  data::FileSystem files;
  const data::Descriptor file(files, path, O_RDONLY);
  if (!file.is_open() && errno == ENOENT) return false;
  if (!file.is_open()) throw IoError(concat("cannot open ", path, ": ", std::strerror(errno)));
  const Outcome outcome = try_lock(files, file.get(), LOCK_SH, path);
  if (outcome == Outcome::unsupported) return HeartbeatLock::is_held(run_directory, files);
  return outcome == Outcome::held_by_another;
}

}  // namespace kantor::checkpoint
