#include "runtime/data/file_system.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "runtime/core/error.hpp"

namespace kantor::data {
namespace {

constexpr std::size_t kLargestRead = std::size_t{1} << 30;

[[noreturn]] void refuse(const std::string& path, const std::string& reason) {
  throw DataError(concat("cannot read ", path, ": ", reason));
}

}  // namespace

int FileSystem::open(const char* path, int flags, mode_t mode) { return ::open(path, flags, mode); }
ssize_t FileSystem::read(int fd, void* data, std::size_t size) { return ::read(fd, data, size); }
ssize_t FileSystem::write(int fd, const void* data, std::size_t size) {
  return ::write(fd, data, size);
}
int FileSystem::fsync(int fd) { return ::fsync(fd); }
int FileSystem::close(int fd) { return ::close(fd); }
int FileSystem::rename(const char* from, const char* to) { return ::rename(from, to); }
int FileSystem::unlink(const char* path) { return ::unlink(path); }
int FileSystem::truncate(int fd, off_t size) { return ::ftruncate(fd, size); }
int FileSystem::lock(int fd, int operation) { return ::flock(fd, operation); }

Descriptor::Descriptor(FileSystem& files, const std::string& path, int flags, mode_t mode)
    : files_(files) {
  do {
    fd_ = files_.open(path.c_str(), flags | O_CLOEXEC, mode);
  } while (fd_ < 0 && errno == EINTR);
}

Descriptor::~Descriptor() {
  if (fd_ >= 0) files_.close(fd_);
}

// O_NONBLOCK: opening a named pipe must not wait for a writer.
InputFile::InputFile(const std::string& path, FileSystem& files)
    : path_(path), files_(files), descriptor_(files, path, O_RDONLY | O_NONBLOCK) {
  if (!descriptor_.is_open()) refuse(path, std::strerror(errno));
  struct stat status {};
  if (::fstat(descriptor_.get(), &status) != 0) refuse(path, std::strerror(errno));
  if (S_ISDIR(status.st_mode)) refuse(path, "it is a folder; name a file in it");
  if (!S_ISREG(status.st_mode)) refuse(path, "not a regular file");
  size_ = static_cast<std::size_t>(status.st_size);
}

void InputFile::read(std::span<std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t count =
        files_.read(descriptor_.get(), bytes.data(), std::min(bytes.size(), kLargestRead));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw IoError(concat("cannot read ", path_, ": ", std::strerror(errno)));
    if (count == 0) refuse(path_, concat("it ends ", bytes.size(), " bytes too early"));
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
}

void synchronise_folder(const std::string& folder, FileSystem& files) {
  const Descriptor descriptor(files, folder, O_RDONLY | O_DIRECTORY);
  bool is_done = false;
  while (descriptor.is_open() && !is_done) {
    // Some network file systems cannot synchronise folders: EINVAL.
    is_done = files.fsync(descriptor.get()) == 0 || errno == EINVAL;
    if (!is_done && errno != EINTR) break;
  }
  if (!is_done) {
    throw IoError(concat("cannot synchronise the folder ", folder, ": ", std::strerror(errno)));
  }
}

}  // namespace kantor::data
