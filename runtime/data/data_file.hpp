#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "runtime/data/file_system.hpp"

namespace kantor::data {

/// The bytes of a data file. A small one is read into memory, so that nothing that happens to it
/// later matters; a larger one is mapped, and changed() tells whether it is still what was opened.
class DataFile {
 public:
  static constexpr std::size_t kLargestInMemory = std::size_t{16} << 20;

  /// @param largest_in_memory in bytes; beyond, the file is mapped.
  /// @throws DataError: missing, unreadable, a folder, empty.
  explicit DataFile(const std::string& path, std::size_t largest_in_memory = kLargestInMemory);
  ~DataFile();
  DataFile(const DataFile&) = delete;
  DataFile& operator=(const DataFile&) = delete;

  const std::string& path() const { return path_; }
  /// They stay where they are for as long as the object lives.
  std::span<const std::byte> bytes() const { return bytes_; }

  /// In which way bytes() may differ from what they were at first, or "": size, or content as far
  /// as a fingerprint looks (add_content), or, where that leaves gaps, the time of the last write.
  std::string changed() const;

 private:
  struct Mapping;

  std::string path_;
  FileSystem files_;
  std::unique_ptr<std::byte[]> memory_;
  std::unique_ptr<const Mapping> mapping_;
  std::span<const std::byte> bytes_;
};

}  // namespace kantor::data
