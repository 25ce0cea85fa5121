#include "runtime/data/atomic_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "runtime/core/error.hpp"

namespace kantor::data {
namespace {

constexpr std::size_t kLargestWrite = std::size_t{1} << 30;
constexpr mode_t kMode = 0666;  // less the umask

bool is_special(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode);
}

}  // namespace

AtomicFile::AtomicFile(const std::string& path) : path_(path), written_path_(path) {
  if (is_special(path)) {
    fd_ = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  } else {
    written_path_ = concat(path, ".tmp.", ::getpid());
    fd_ = ::open(written_path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, kMode);
  }
  if (fd_ < 0) fail("create", errno);
}

AtomicFile::~AtomicFile() {
  if (fd_ < 0) return;
  ::close(fd_);
  if (written_path_ != path_) ::unlink(written_path_.c_str());
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd_, bytes.data(), std::min(bytes.size(), kLargestWrite));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail("write", errno);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
}

void AtomicFile::commit() {
  // Pipes and terminals cannot be synchronised: EINVAL, EROFS.
  if (::fsync(fd_) != 0 && errno != EINVAL && errno != EROFS) fail("synchronise", errno);
  const int fd = fd_;
  fd_ = -1;
  const bool closed = ::close(fd) == 0;
  const int close_error = errno;
  if (written_path_ == path_) {
    if (!closed) fail("close", close_error);
    return;
  }
  if (!closed || ::rename(written_path_.c_str(), path_.c_str()) != 0) {
    const int error_number = closed ? errno : close_error;
    ::unlink(written_path_.c_str());
    fail(closed ? "rename" : "close", error_number);
  }
}

void AtomicFile::fail(const char* action, int error_number) const {
  throw IoError(concat("cannot ", action, " ", written_path_, ": ", std::strerror(error_number)));
}

}  // namespace kantor::data
