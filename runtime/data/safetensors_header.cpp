#include "runtime/data/safetensors_header.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "runtime/core/error.hpp"
#include "runtime/core/shortened.hpp"
#include "runtime/data/checked_size.hpp"
#include "runtime/data/likely_kind.hpp"

namespace kantor::data {
namespace {

static_assert(std::endian::native == std::endian::little, "the format is little-endian");

constexpr std::size_t kLengthBytes = 8;
constexpr std::uint64_t kLongestHeader = 100'000'000;

[[noreturn]] void refuse(const std::string& path, const std::string& reason) {
  throw DataError(concat("cannot read ", path, " as safetensors: ", reason));
}

/// 0 for a type that is not known.
std::int64_t element_bytes(const std::string& dtype) {
  static constexpr std::pair<std::string_view, std::int64_t> kTypes[] = {
      {"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"F8_E5M2", 1}, {"F8_E4M3", 1}, {"F8_E8M0", 1},
      {"I16", 2},  {"U16", 2}, {"F16", 2}, {"BF16", 2},    {"I32", 4},     {"U32", 4},
      {"F32", 4},  {"I64", 8}, {"U64", 8}, {"F64", 8},     {"C64", 8}};
  for (const auto& [name, bytes] : kTypes) {
    if (name == dtype) return bytes;
  }
  return 0;
}

/// Takes the events of a parser of JSON. { "NAME": { "dtype": "F32", "shape": [..],
/// "data_offsets": [begin, end] }, "__metadata__": { "KEY": "TEXT" } }, in any order.
class HeaderReader {
 public:
  explicit HeaderReader(const std::string& path) : path_(path) {}

  std::vector<TensorEntry> take() { return std::move(tensors_); }

  // The parser's interface: a value, or an opening or closing bracket.
  bool null() { return unexpected("null"); }
  bool boolean(bool) { return unexpected("true or false"); }
  bool number_integer(std::int64_t) { return unexpected("a negative number"); }
  bool number_float(double, const std::string&) { return unexpected("a number that is not whole"); }
  bool binary(std::vector<std::uint8_t>&) { return unexpected("binary data"); }

  bool number_unsigned(std::uint64_t value) {
    if (place_ != Place::sizes) return unexpected("a number");
    if (!std::in_range<std::int64_t>(value)) return unexpected("a number beyond 63 bits");
    if (sizes_.size() == SafetensorsHeader::kMostDimensions) return unexpected("too many numbers");
    sizes_.push_back(static_cast<std::int64_t>(value));
    return true;
  }

  bool string(std::string& text) {
    if (place_ == Place::metadata) return true;
    if (place_ != Place::tensor || key_ != Key::dtype) return unexpected("text");
    tensors_.back().dtype = std::move(text);
    return true;
  }

  bool start_object(std::size_t) {
    if (place_ == Place::outside) {
      place_ = Place::names;
    } else if (place_ == Place::names) {
      place_ = is_metadata_ ? Place::metadata : Place::tensor;
    } else {
      return nested();
    }
    return true;
  }

  bool key(std::string& name) {
    if (place_ == Place::names) {
      begin_entry(name);
    } else if (place_ == Place::tensor) {
      key_ = name == "dtype" ? Key::dtype : name == "shape" ? Key::shape : Key::offsets;
      if (key_ == Key::offsets && name != "data_offsets") undescribed();
      bool& is_seen = seen_[static_cast<std::size_t>(key_)];
      if (is_seen) refuse(path_, concat("tensor ", shown(), " has ", name, " twice"));
      is_seen = true;
    }
    return true;
  }

  bool start_array(std::size_t) {
    if (place_ == Place::sizes) return nested();
    if (place_ != Place::tensor || key_ == Key::dtype) return unexpected("a list");
    place_ = Place::sizes;
    sizes_.clear();
    return true;
  }

  bool end_array() {
    place_ = Place::tensor;
    if (key_ == Key::shape) {
      tensors_.back().shape = sizes_;
      return true;
    }
    if (sizes_.size() != 2 || sizes_[0] > sizes_[1]) {
      refuse(path_, concat("tensor ", shown(), ": data_offsets are not [begin, end]"));
    }
    tensors_.back().begin = sizes_[0];
    tensors_.back().end = sizes_[1];
    return true;
  }

  bool end_object() {
    if (place_ == Place::tensor) end_entry();
    place_ = place_ == Place::names ? Place::outside : Place::names;
    return true;
  }

  bool parse_error(std::size_t position, const std::string&, const std::exception& error) {
    refuse(path_, concat("its header is not JSON: at byte ", position, ": ", error.what()));
  }

 private:
  enum class Place { outside, names, metadata, tensor, sizes };
  enum class Key { dtype, shape, offsets };

  std::string shown() const { return shown_name(tensors_.back().name); }

  void begin_entry(std::string& name) {
    is_metadata_ = name == "__metadata__";
    if (is_metadata_) return;
    if (tensors_.size() == SafetensorsHeader::kMostTensors) {
      refuse(path_, concat("it has more than ", tensors_.size(), " tensors"));
    }
    tensors_.push_back({.name = std::move(name), .dtype = {}, .shape = {}});
    seen_ = {};
  }

  void end_entry() {
    if (!(seen_[0] && seen_[1] && seen_[2])) undescribed();
    const TensorEntry& entry = tensors_.back();
    const auto count = checked_product(entry.shape);
    const std::int64_t element = element_bytes(entry.dtype);
    std::int64_t bytes = 0;
    const bool fits = count && !__builtin_mul_overflow(*count, element, &bytes) &&
                      (element == 0 || bytes == entry.num_bytes());
    if (fits) return;
    refuse(path_, concat("tensor ", shown(), ": its shape and its ", entry.num_bytes(),
                         " bytes do not fit together"));
  }

  [[noreturn]] void undescribed() const {
    refuse(path_, concat("tensor ", shown(), " is not described by dtype, shape, data_offsets"));
  }

  [[noreturn]] bool nested() const { refuse(path_, "its header is nested too deeply"); }

  [[noreturn]] bool unexpected(const char* what) const {
    static constexpr const char* kExpected[] = {"a name of a type", "a list of sizes",
                                                "[begin, end]"};
    if (place_ == Place::outside || place_ == Place::names) {
      refuse(path_, concat("its header holds ", what, ", expected a table of tensors"));
    }
    if (place_ == Place::metadata) refuse(path_, concat("its metadata hold ", what));
    refuse(path_, concat("tensor ", shown(), ": expected ",
                         kExpected[static_cast<std::size_t>(key_)], ", met ", what));
  }

  const std::string& path_;
  std::vector<TensorEntry> tensors_;
  Place place_ = Place::outside;
  bool is_metadata_ = false;
  Key key_ = Key::dtype;
  std::array<bool, 3> seen_{};  ///< keys of the tensor that is being read
  std::vector<std::int64_t> sizes_;
};

void sort_by_name(const std::string& path, std::vector<TensorEntry>& tensors) {
  std::sort(tensors.begin(), tensors.end(),
            [](const TensorEntry& a, const TensorEntry& b) { return a.name < b.name; });
  const auto twice = std::adjacent_find(
      tensors.begin(), tensors.end(),
      [](const TensorEntry& a, const TensorEntry& b) { return a.name == b.name; });
  if (twice != tensors.end()) {
    refuse(path, concat("its header names ", shown_name(twice->name), " twice"));
  }
}

/// The tensors must fill the data without holes or overlaps.
void check_layout(const std::string& path, const std::vector<TensorEntry>& tensors,
                  std::int64_t data_bytes) {
  std::vector<const TensorEntry*> in_order;
  in_order.reserve(tensors.size());
  for (const TensorEntry& tensor : tensors) in_order.push_back(&tensor);
  std::sort(in_order.begin(), in_order.end(), [](const TensorEntry* a, const TensorEntry* b) {
    return std::pair(a->begin, a->end) < std::pair(b->begin, b->end);
  });
  std::int64_t at = 0;
  for (const TensorEntry* tensor : in_order) {
    if (tensor->begin != at) {
      refuse(path, concat("tensor ", shown_name(tensor->name), " begins at byte ", tensor->begin,
                          ", expected ", at));
    }
    at = tensor->end;
  }
  if (at != data_bytes) {
    refuse(path, concat(at > data_bytes ? "it is truncated" : "it is too long",
                        ": its tensors take ", at, " bytes, ", data_bytes, " are there"));
  }
}

}  // namespace

std::string shown_name(const std::string& name) {
  return nlohmann::json(shortened(name, 80))
      .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

SafetensorsHeader parse_safetensors_header(const std::string& path,
                                           std::span<const std::byte> file) {
  if (file.size() < kLengthBytes) refuse(path, "it is truncated within its first 8 bytes");
  std::uint64_t length = 0;
  std::memcpy(&length, file.data(), kLengthBytes);
  if (length > kLongestHeader) {
    const bool is_meant = file.size() > kLengthBytes && file[kLengthBytes] == std::byte{'{'};
    const std::string kind = likely_kind(file);
    refuse(path, is_meant || kind.empty() ? concat("it announces a header of ", length, " bytes")
                                          : "it does not start as such a file does" + kind);
  }
  if (length > file.size() - kLengthBytes) {
    refuse(path,
           concat("it is truncated: a header of ", length, " bytes in a file of ", file.size()));
  }
  const auto size = static_cast<std::size_t>(length);
  const std::string_view text(reinterpret_cast<const char*>(file.data()) + kLengthBytes, size);
  if (text.find('\0') != std::string_view::npos) {  // which the parser takes for the end
    refuse(path, "its header is not JSON: it holds a zero byte");
  }
  HeaderReader reader(path);
  nlohmann::json::sax_parse(text, &reader);
  SafetensorsHeader header = {.tensors = reader.take(), .data_offset = kLengthBytes + size};
  sort_by_name(path, header.tensors);
  check_layout(path, header.tensors, static_cast<std::int64_t>(file.size() - header.data_offset));
  return header;
}

}  // namespace kantor::data
