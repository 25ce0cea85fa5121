#include "runtime/data/atomic_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

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
    written_path_ = concat(path_, ".tmp.", ::getpid());
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
  throw IoError(concat("cannot ", action, " ", written_path_, ": ", std::strerror(error_number)));
}

}  // namespace kantor::data
