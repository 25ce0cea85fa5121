#include "runtime/data/atomic_file.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <optional>
#include <utility>

#include "runtime/core/error.hpp"

namespace kantor::data {
namespace {

constexpr std::size_t kLargestWrite = std::size_t{1} << 30;
constexpr mode_t kMode = 0666;  // less the umask

constexpr std::string_view kAside = ".tmp.";

/// The process that writes an aside, from its name; nothing for any other file.
std::optional<pid_t> writer_of(std::string_view name, std::string_view ending) {
  const auto at = name.rfind(kAside);
  if (at == std::string_view::npos || !name.substr(0, at).ends_with(ending)) return std::nullopt;
  const std::string_view digits = name.substr(at + kAside.size());
  pid_t pid = 0;
  const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), pid);
  if (failure != std::errc() || end != digits.data() + digits.size() || pid <= 0) {
    return std::nullopt;
  }
  return pid;
}

/// Another living process of this host. In containers a restarted run often has the same number
/// as the one before: that one is dead.
bool is_other_process(pid_t pid) {
  return pid != ::getpid() && (::kill(pid, 0) == 0 || errno == EPERM);
}

/// A device is written in place. @throws IoError for a pipe: opening it may wait for ever.
bool is_special(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return false;
  if (S_ISFIFO(status.st_mode)) {
    throw IoError(concat("cannot create ", path, ": it is a pipe; remove it"));
  }
  return !S_ISREG(status.st_mode);
}

}  // namespace

AtomicFile::AtomicFile(const std::string& path)
    : path_(path), written_path_(path), files_(kernel_) {
  open();
}

AtomicFile::AtomicFile(const std::string& path, FileSystem& files)
    : path_(path), written_path_(path), files_(files) {
  open();
}

void AtomicFile::open() {
  int flags = O_WRONLY | O_CLOEXEC;
  if (!is_special(path_)) {
    written_path_ = concat(path_, kAside, ::getpid());
    flags |= O_CREAT | O_TRUNC;
  }
  do {
    fd_ = files_.open(written_path_.c_str(), flags, kMode);
  } while (fd_ < 0 && errno == EINTR);
  if (fd_ < 0) fail("create", errno);
  is_aside_ = written_path_ != path_;
}

AtomicFile::~AtomicFile() {
  if (fd_ >= 0) files_.close(fd_);
  if (is_aside_) files_.unlink(written_path_.c_str());
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = files_.write(fd_, bytes.data(), std::min(bytes.size(), kLargestWrite));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) fail("write", written < 0 ? errno : ENOSPC);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
}

void AtomicFile::commit() {
  finish();
  publish();
}

void AtomicFile::finish() {
  int outcome = 0;
  do {
    outcome = files_.fsync(fd_);
  } while (outcome != 0 && errno == EINTR);
  // Pipes and terminals cannot be synchronised: EINVAL, EROFS.
  if (outcome != 0 && errno != EINVAL && errno != EROFS) fail("synchronise", errno);
  // Whatever close() says, the descriptor is gone; interrupted, all is written.
  if (files_.close(std::exchange(fd_, -1)) != 0 && errno != EINTR) fail("close", errno);
}

void AtomicFile::publish() {
  if (is_aside_ && files_.rename(written_path_.c_str(), path_.c_str()) != 0) fail("rename", errno);
  is_aside_ = false;
}

void AtomicFile::fail(const char* action, int error_number) const {
  const std::string what =
      concat("cannot ", action, " ", written_path_, ": ", std::strerror(error_number));
  if (error_number == ENOSPC || error_number == EDQUOT) throw NoSpaceError(what);
  throw IoError(what);
}

bool write_over(const std::string& path, std::string text) {
  FileSystem files;
  const Descriptor file(files, path, O_WRONLY | O_NONBLOCK);  // a pipe must not wait for a reader
  struct stat facts {};
  if (!file.is_open() || ::fstat(file.get(), &facts) != 0 || !S_ISREG(facts.st_mode)) return false;
  text.resize(std::max(text.size(), static_cast<std::size_t>(facts.st_size)), ' ');
  const ssize_t written = ::pwrite(file.get(), text.data(), text.size(), 0);
  return written == std::ssize(text) && files.fsync(file.get()) == 0;
}

void remove_asides(const std::string& folder, std::string_view ending, FileSystem& files) {
  std::error_code failure;
  for (std::filesystem::directory_iterator at(folder, failure), end; !failure && at != end;
       at.increment(failure)) {
    const auto writer = writer_of(at->path().filename().string(), ending);
    if (!writer || is_other_process(*writer)) continue;
    if (files.unlink(at->path().c_str()) != 0 && errno != ENOENT) {
      throw IoError(concat("cannot remove ", at->path().string(),
                           ", left by a run that was killed: ", std::strerror(errno)));
    }
  }
  if (failure) throw IoError(concat("cannot read the folder ", folder, ": ", failure.message()));
}

}  // namespace kantor::data
