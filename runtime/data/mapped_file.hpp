#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace kantor::data {

/// A whole file mapped read-only. Move-only; the mapping lasts as long as the object.
class MappedFile {
 public:
  /// @throws DataError: missing, unreadable, a folder, empty.
  explicit MappedFile(const std::string& path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  MappedFile& operator=(MappedFile&&) = delete;

  const std::string& path() const { return path_; }
  std::span<const std::byte> bytes() const { return {data_, size_}; }

 private:
  std::string path_;
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace kantor::data
