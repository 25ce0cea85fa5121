#include "runtime/data/idx.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <span>
#include <utility>

#include "runtime/core/error.hpp"
#include "runtime/core/process.hpp"
#include "runtime/core/text.hpp"
#include "runtime/data/checked_size.hpp"
#include "runtime/data/data_file.hpp"
#include "runtime/data/gzip.hpp"
#include "runtime/data/likely_kind.hpp"
#include "runtime/data/row_sources.hpp"

// Format: two zero bytes, element type (8 = unsigned byte), number of dimensions, the sizes as
// big-endian 32-bit numbers, the elements. Source: http://yann.lecun.com/exdb/mnist

namespace kantor::data {
namespace {

constexpr std::size_t kMagicBytes = 4;
constexpr std::size_t kLargestPiece = std::size_t{64} << 20;
constexpr int kUnsignedByte = 8;

[[noreturn]] void refuse(const std::string& path, const std::string& reason) {
  throw DataError(concat("cannot read ", path, " as idx-ubyte: ", reason));
}

/// The bytes of an idx file, one after the other, whether mapped or decompressed.
class IdxReader {
 public:
  explicit IdxReader(std::shared_ptr<const DataFile> file) : file_(std::move(file)) {
    if (is_gzip(file_->bytes())) inflater_.emplace(file_->path(), file_->bytes());
  }

  const std::string& path() const { return file_->path(); }
  std::span<const std::byte> bytes() const { return file_->bytes(); }  ///< as they are stored

  void read(std::span<std::uint8_t> out) {
    std::size_t got = 0;
    if (inflater_) {
      got = inflater_->read(out);
    } else {
      got = std::min(out.size(), file_->bytes().size() - at_);
      if (got > 0) std::memcpy(out.data(), file_->bytes().data() + at_, got);
    }
    at_ += got;
    if (got < out.size()) refuse(path(), concat("it is truncated after ", at_, " bytes"));
  }

  void expect_end() {
    std::uint8_t surplus = 0;
    const bool has_more =
        inflater_ ? inflater_->read({&surplus, 1}) > 0 : at_ < file_->bytes().size();
    if (has_more)
      refuse(path(), concat("there are bytes beyond the ", at_, " its header announces"));
  }

  /// No file holds more than this, however well it is compressed.
  std::int64_t most_bytes() const {
    const auto stored = static_cast<std::int64_t>(file_->bytes().size());
    return inflater_ ? stored * kLargestDeflateRatio : stored;
  }

 private:
  std::shared_ptr<const DataFile> file_;
  std::optional<Inflater> inflater_;
  std::size_t at_ = 0;
};

struct IdxArray {
  std::vector<std::int64_t> shape;
  std::vector<std::uint8_t> values;
};

std::vector<std::int64_t> read_shape(IdxReader& reader) {
  std::array<std::uint8_t, kMagicBytes> magic{};
  reader.read(magic);
  if (magic[0] != 0 || magic[1] != 0 || magic[3] == 0) {
    refuse(reader.path(),
           concat("it starts with bytes ", int{magic[0]}, " ", int{magic[1]}, " ", int{magic[2]},
                  " ", int{magic[3]}, ", expected 0 0 8 and a number of dimensions",
                  likely_kind(reader.bytes())));
  }
  if (magic[2] != kUnsignedByte) {
    refuse(reader.path(), concat("its element type is ", int{magic[2]},
                                 ", expected 8 (unsigned bytes); convert it to .npy"));
  }
  std::vector<std::int64_t> shape;
  for (int i = 0; i < int{magic[3]}; ++i) {
    std::array<std::uint8_t, 4> size{};
    reader.read(size);
    shape.push_back(std::int64_t{size[0]} << 24 | std::int64_t{size[1]} << 16 |
                    std::int64_t{size[2]} << 8 | std::int64_t{size[3]});
  }
  return shape;
}

IdxArray read_idx(std::shared_ptr<const DataFile> file) {
  const std::string path = file->path();
  IdxReader reader(std::move(file));
  IdxArray array = {.shape = read_shape(reader), .values = {}};
  const auto count = checked_product(array.shape);
  if (!count || *count > reader.most_bytes()) {
    refuse(path, "it is truncated: its header announces more than the file can hold");
  }
  if (*count == 0) refuse(path, "it is empty: one of its sizes is 0");
  const auto size = static_cast<std::size_t>(*count);
  const std::int64_t room = available_memory_bytes();
  if (*count > room) {  // of a small file too, if it is compressed
    refuse(path, concat("it holds ", format_bytes(static_cast<double>(*count)),
                        " of values, which are kept in memory, where ",
                        format_bytes(static_cast<double>(room)), " are free"));
  }
  while (array.values.size() < size) {  // piece by piece: a damaged size must not take all memory
    const std::size_t at = array.values.size();
    array.values.resize(std::min(size, at + kLargestPiece));
    reader.read(std::span(array.values).subspan(at));
  }
  reader.expect_end();
  return array;
}

}  // namespace

std::shared_ptr<const RowSource> open_idx(std::shared_ptr<const DataFile> file) {
  IdxArray array = read_idx(file);
  if (array.shape.size() < 2) {
    refuse(file->path(), "it has one dimension (labels?), expected images: number, height, width");
  }
  const std::int64_t n = array.shape[0];
  const std::int64_t d = static_cast<std::int64_t>(array.values.size()) / n;
  return memory_rows<std::uint8_t>(std::move(array.values), n, d);
}

std::shared_ptr<const RowSource> open_idx(const std::string& path) {
  return open_idx(std::make_shared<const DataFile>(path));
}

std::vector<std::int64_t> read_idx_shape(const std::string& path) {
  IdxReader reader(std::make_shared<const DataFile>(path));
  return read_shape(reader);
}

std::vector<std::uint8_t> read_idx_labels(const std::string& path) {
  const auto file = std::make_shared<const DataFile>(path);
  if (is_npy(file->bytes())) {
    refuse(
        path,
        "it is a .npy file, but labels are read from idx-ubyte; select the rows in Python instead: "
        "numpy.save(\"selected.npy\", x[numpy.isin(labels, [0, 3])])");
  }
  IdxArray array = read_idx(file);
  if (array.shape.size() != 1) {
    refuse(path,
           concat("it has ", array.shape.size(), " dimensions (images?), expected labels: 1"));
  }
  return std::move(array.values);
}

}  // namespace kantor::data
