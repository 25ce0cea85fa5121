#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "runtime/core/error.hpp"
#include "runtime/data/file_system.hpp"

namespace kantor::data {

/// The disk, or the user's share of it, is full: room may be made.
struct NoSpaceError : IoError {
  using IoError::IoError;
};

/// A file that appears under its name only when it is complete: written aside in the same folder,
/// synchronised, then renamed. Without commit() the aside file is removed. What is not a regular
/// file (/dev/stdout) is written in place.
class AtomicFile {
 public:
  /// @throws NoSpaceError, IoError (all members).
  explicit AtomicFile(const std::string& path);
  AtomicFile(const std::string& path, FileSystem& files);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(std::span<const std::byte> bytes);
  /// finish() and publish().
  void commit();

  /// Synchronises and closes: from here on written_path() can be read.
  void finish();
  /// Gives the finished file its name.
  void publish();
  /// `path.tmp.<pid>`, or path itself for what is written in place.
  const std::string& written_path() const { return written_path_; }

 private:
  void open();
  [[noreturn]] void fail(const char* action, int error_number) const;

  std::string path_;
  std::string written_path_;
  FileSystem kernel_;
  FileSystem& files_;
  int fd_ = -1;
  bool is_aside_ = false;  ///< written_path_ is to be removed
};

/// Writes a short text over one that is there, padded by spaces to its length: on a full disk this
/// needs no room, but a reader may meet it half done. @return whether it succeeded.
bool write_over(const std::string& path, std::string text);

/// Removes what processes that are dead now have left aside in a folder: `NAME.tmp.<pid>` of names
/// with that ending. @throws IoError.
void remove_asides(const std::string& folder, std::string_view ending, FileSystem& files);

}  // namespace kantor::data
