#include "runtime/data/data_file.hpp"

#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <utility>

#include "runtime/core/error.hpp"
#include "runtime/data/fingerprint.hpp"
#include "runtime/data/mapping_table.hpp"

namespace kantor::data {
namespace {

[[noreturn]] void fail(const std::string& path, const std::string& reason) {
  throw DataError(concat("cannot read ", path, ": ", reason));
}

struct stat status_of(const InputFile& file, const std::string& path) {
  struct stat status {};
  if (::fstat(file.descriptor(), &status) != 0) fail(path, std::strerror(errno));
  return status;
}

std::uint64_t content_of(std::span<const std::byte> bytes) {
  Fingerprint content;
  content.add_content(bytes);
  return content.value();
}

bool is_same_time(const timespec& a, const timespec& b) {
  return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

/// Mapped pages, until the end of the object.
class Pages {
 public:
  Pages(const InputFile& file, const std::string& path) : size_(file.size()) {
    address_ = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file.descriptor(), 0);
    if (address_ == MAP_FAILED) {
      fail(path, concat("mapping ", size_, " bytes: ", std::strerror(errno)));
    }
  }
  ~Pages() { ::munmap(address_, size_); }
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;
  std::span<const std::byte> bytes() const {
    return {static_cast<const std::byte*>(address_), size_};
  }

 private:
  std::size_t size_;
  void* address_;
};

}  // namespace

/// The file stays open: its path may come to name another one, which does no harm.
struct DataFile::Mapping {
  Mapping(std::unique_ptr<const InputFile> opened, const std::string& path)
      : file(std::move(opened)),
        status(status_of(*file, path)),
        pages(*file, path),
        listed(pages.bytes(), file->descriptor(), path),
        content(content_of(pages.bytes())) {}

  std::unique_ptr<const InputFile> file;
  struct stat status;
  Pages pages;
  ListedMapping listed;
  std::uint64_t content;
};

DataFile::DataFile(const std::string& path, std::size_t largest_in_memory) : path_(path) {
  auto file = std::make_unique<InputFile>(path, files_);
  const std::size_t size = file->size();
  if (size == 0) fail(path, "the file is empty");
  if (size <= largest_in_memory) {
    memory_ = std::make_unique_for_overwrite<std::byte[]>(size);
    file->read({memory_.get(), size});
    bytes_ = {memory_.get(), size};
  } else {
    mapping_ = std::make_unique<const Mapping>(std::move(file), path);
    bytes_ = mapping_->pages.bytes();
  }
}

DataFile::~DataFile() = default;

std::string DataFile::changed() const {
  if (!mapping_) return "";
  const struct stat now = status_of(*mapping_->file, path_);
  if (now.st_size != mapping_->status.st_size) {
    return concat("it had ", mapping_->status.st_size, " bytes and has ", now.st_size);
  }
  if (content_of(bytes_) != mapping_->content) return "it holds other bytes";
  const bool is_seen_whole = bytes_.size() <= Fingerprint::kLargestWhole;
  if (is_seen_whole || is_same_time(now.st_mtim, mapping_->status.st_mtim)) return "";
  return "it has been written to";
}

}  // namespace kantor::data
