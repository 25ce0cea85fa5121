#include "runtime/data/npy_header.hpp"

#include <cstring>
#include <optional>
#include <string_view>

#include "runtime/core/error.hpp"
#include "runtime/data/checked_size.hpp"
#include "runtime/data/likely_kind.hpp"

// Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html

namespace kantor::data {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr const char* kRemedy =
    "; save it with numpy.save(path, numpy.ascontiguousarray(x, dtype=numpy.float32))";

[[noreturn]] void refuse(const std::string& path, const std::string& reason) {
  throw DataError(concat("cannot read ", path, " as .npy: ", reason));
}

/// The header is a Python dictionary literal with the keys descr, fortran_order and shape, in any
/// order: {'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }
class DictionaryParser {
 public:
  DictionaryParser(const std::string& path, std::string_view text) : path_(path), text_(text) {}

  NpyHeader parse() {
    expect('{');
    while (!accept('}')) {
      entry();
      if (accept('}')) break;
      expect(',');
    }
    skip_space();
    if (at_ != text_.size()) damaged("text after the closing brace");
    if (!has_descr_ || !has_order_ || !has_shape_) damaged("descr, fortran_order or shape missing");
    return header_;
  }

 private:
  void entry() {
    const std::string key = quoted();
    expect(':');
    if (key == "descr" && !has_descr_) {
      has_descr_ = true;
      header_.descr = element_type();
    } else if (key == "fortran_order" && !has_order_) {
      has_order_ = true;
      header_.fortran_order = boolean();
    } else if (key == "shape" && !has_shape_) {
      has_shape_ = true;
      shape();
    } else {
      damaged("unknown or repeated key '" + key + "'");
    }
  }

  std::string element_type() {
    skip_space();
    if (at_ < text_.size() && text_[at_] == '[') {
      refuse(path_, concat("its elements are records; expected float32 or float64", kRemedy));
    }
    return quoted();
  }

  bool boolean() {
    skip_space();
    if (accept_word("True")) return true;
    if (accept_word("False")) return false;
    damaged("fortran_order is neither True nor False");
  }

  void shape() {
    expect('(');
    while (!accept(')')) {
      header_.shape.push_back(integer());
      if (accept(')')) break;
      expect(',');
    }
  }

  std::int64_t integer() {
    skip_space();
    const std::size_t start = at_;
    std::int64_t value = 0;
    while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') {
      if (__builtin_mul_overflow(value, std::int64_t{10}, &value) ||
          __builtin_add_overflow(value, std::int64_t{text_[at_] - '0'}, &value)) {
        damaged("a size beyond 63 bits");
      }
      ++at_;
    }
    if (at_ == start) damaged("a size that is not a number");
    accept('L');  // long integers as Python 2 wrote them
    return value;
  }

  std::string quoted() {
    skip_space();
    if (at_ >= text_.size() || (text_[at_] != '\'' && text_[at_] != '"')) {
      damaged("a quoted word was expected");
    }
    const std::size_t end = text_.find(text_[at_], at_ + 1);
    if (end == std::string_view::npos) damaged("a quote is not closed");
    std::string word(text_.substr(at_ + 1, end - at_ - 1));
    for (const char symbol : word) {  // words are repeated in messages, which are one line
      if (symbol < ' ' || symbol > '~') damaged("a word that is not plain ASCII");
    }
    at_ = end + 1;
    return word;
  }

  void skip_space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t')) {
      ++at_;
    }
  }
  bool accept(char symbol) {
    skip_space();
    if (at_ >= text_.size() || text_[at_] != symbol) return false;
    ++at_;
    return true;
  }
  bool accept_word(std::string_view word) {
    if (text_.substr(at_, word.size()) != word) return false;
    at_ += word.size();
    return true;
  }
  void expect(char symbol) {
    if (!accept(symbol)) damaged(concat("'", symbol, "' was expected"));
  }
  [[noreturn]] void damaged(const std::string& reason) const {
    refuse(path_, concat("its header is damaged at character ", at_, ": ", reason));
  }

  const std::string& path_;
  std::string_view text_;
  std::size_t at_ = 0;
  NpyHeader header_;
  bool has_descr_ = false;
  bool has_order_ = false;
  bool has_shape_ = false;
};

/// Bytes of one element of '<f4', '|u1', ...; refuses objects, text and big-endian numbers.
std::int64_t element_bytes(const std::string& path, const std::string& descr) {
  const std::string type = concat("its elements are '", descr, "'");
  if (descr.find('O') != std::string::npos) {
    refuse(path, concat(type, " (Python objects); expected float32 or float64", kRemedy));
  }
  if (descr.starts_with('>')) {
    refuse(path, concat(type, " (big-endian); expected little-endian float32 or float64", kRemedy));
  }
  const bool is_number = descr.size() >= 3 && descr.size() <= 4 &&
                         std::strchr("<|=", descr[0]) != nullptr &&
                         std::strchr("fiucb", descr[1]) != nullptr &&
                         descr.find_first_not_of("0123456789", 2) == std::string::npos;
  const std::int64_t bytes = is_number ? std::stoll(descr.substr(2)) : 0;
  if (descr.size() > 1 && descr[1] == 'V') {
    refuse(path, concat(type,
                        " (raw bytes, as numpy stores bfloat16 and float8); convert it before "
                        "it is saved: numpy.save(path, x.astype(numpy.float32))"));
  }
  if (bytes == 0) refuse(path, concat(type, "; expected float32 or float64", kRemedy));
  return bytes;
}

void check_size(const std::string& path, const NpyHeader& header, std::size_t file_size) {
  const std::int64_t element = element_bytes(path, header.descr);
  const auto count = checked_product(header.shape);
  std::int64_t announced = 0;
  if (!count || __builtin_mul_overflow(*count, element, &announced)) {
    refuse(path, "its shape does not fit into 63 bits");
  }
  const auto present = static_cast<std::int64_t>(file_size) - header.data_offset;
  if (announced != present) {
    refuse(path, concat("the file is ", present < announced ? "truncated" : "too long",
                        ": its header announces ", announced, " bytes of data, ", present,
                        " are there; write it again"));
  }
}

}  // namespace

NpyHeader parse_npy_header(const std::string& path, std::span<const std::byte> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (text.substr(0, kMagic.size()) != kMagic)
    refuse(path, "it does not start with \\x93NUMPY" + likely_kind(bytes));
  if (text.size() < 10) refuse(path, "the file is truncated within its first 10 bytes");
  const auto byte = [&](std::size_t at) {
    return std::size_t{static_cast<unsigned char>(text[at])};
  };
  const std::size_t major = byte(6);
  const std::size_t minor = byte(7);
  if (major < 1 || major > 3 || minor != 0) {
    refuse(path, concat("format version ", major, ".", minor, "; expected 1.0, 2.0 or 3.0"));
  }
  const std::size_t start = major == 1 ? 10 : 12;  // the length has 2 or 4 bytes
  if (text.size() < start) refuse(path, "the file is truncated within its first 12 bytes");
  std::size_t length = byte(8) | byte(9) << 8;
  if (major > 1) length |= byte(10) << 16 | byte(11) << 24;
  if (length > text.size() - start) {
    refuse(path, concat("the file is truncated: a header of ", length, " bytes in a file of ",
                        text.size()));
  }
  NpyHeader header = DictionaryParser(path, text.substr(start, length)).parse();
  header.data_offset = static_cast<std::int64_t>(start + length);
  check_size(path, header, text.size());
  return header;
}

}  // namespace kantor::data
