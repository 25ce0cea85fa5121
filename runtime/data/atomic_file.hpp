#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace kantor::data {

/// A file that appears under its name only when it is complete: written aside in the same folder,
/// synchronised, then renamed. Without commit() the aside file is removed. What is not a regular
/// file (/dev/stdout) is written in place.
class AtomicFile {
 public:
  /// @throws IoError (all members).
  explicit AtomicFile(const std::string& path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(std::span<const std::byte> bytes);
  void commit();

 private:
  [[noreturn]] void fail(const char* action, int error_number) const;

  std::string path_;
  std::string written_path_;  ///< the aside file, or path_ itself
  int fd_ = -1;
};

}  // namespace kantor::data
