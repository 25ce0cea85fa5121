#pragma once

#include <sys/types.h>

#include <cstddef>
#include <span>
#include <string>

struct stat;

namespace kantor::data {

/// The kernel's file calls, as they are (-1 and errno). Tests put a layer in between that fails, or
/// ends the process, at a chosen call.
class FileSystem {
 public:
  virtual ~FileSystem() = default;
  virtual int open(const char* path, int flags, mode_t mode);
  virtual ssize_t read(int fd, void* data, std::size_t size);
  virtual ssize_t write(int fd, const void* data, std::size_t size);
  virtual int fsync(int fd);
  virtual int close(int fd);
  virtual int rename(const char* from, const char* to);
  virtual int unlink(const char* path);
  virtual int truncate(int fd, off_t size);
  virtual int lock(int fd, int operation);  ///< flock
};

/// A descriptor that is closed in the end, without a look at the outcome: for reading and locking.
class Descriptor {
 public:
  /// Opens; repeated when a signal interrupts it. errno tells why is_open() is false.
  Descriptor(FileSystem& files, const std::string& path, int flags, mode_t mode = 0);
  ~Descriptor();
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  bool is_open() const { return fd_ >= 0; }
  int get() const { return fd_; }

 private:
  FileSystem& files_;
  int fd_;
};

/// A regular file read from its start to its end. Unlike a mapping, a bad block is an error here,
/// not a signal.
class InputFile {
 public:
  /// @throws DataError: missing, unreadable, a folder or anything else that is no regular file.
  InputFile(const std::string& path, FileSystem& files);
  std::size_t size() const { return size_; }
  int descriptor() const { return descriptor_.get(); }
  /// The next bytes. @throws IoError; DataError if the file ends before.
  void read(std::span<std::byte> bytes);

 private:
  std::string path_;
  FileSystem& files_;
  Descriptor descriptor_;
  std::size_t size_ = 0;
};

/// Makes the names in a folder durable: without it a power loss may undo a rename. @throws IoError.
void synchronise_folder(const std::string& folder, FileSystem& files);

}  // namespace kantor::data
