#include "runtime/data/likely_kind.hpp"

#include <algorithm>
#include <string_view>

#include "runtime/data/gzip.hpp"

namespace kantor::data {
namespace {

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Numbers between commas, blanks and line breaks, and words above them.
bool is_table(std::string_view text) {
  const std::string_view start = text.substr(0, 4096);
  const bool is_printable = std::ranges::all_of(
      start, [](char c) { return (c >= ' ' && c <= '~') || c == '\n' || c == '\r' || c == '\t'; });
  return is_printable && start.find('\n') != std::string_view::npos &&
         start.find_first_of("0123456789") != std::string_view::npos;
}

bool is_markup(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return false;
  for (const std::string_view start : {"<!doctype", "<html", "<?xml"}) {
    const std::string_view found = text.substr(begin, start.size());
    const auto is_same = [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a + 32 : a) == b; };
    if (std::equal(found.begin(), found.end(), start.begin(), start.end(), is_same)) return true;
  }
  return false;
}

}  // namespace

bool is_npy(std::span<const std::byte> bytes) { return text_of(bytes).starts_with("\x93NUMPY"); }

std::string likely_kind(std::span<const std::byte> bytes) {
  const std::string_view text = text_of(bytes);
  if (text.starts_with("version https://git-lfs")) {
    return "; it is the pointer that Git LFS leaves in place of a file: fetch that by git lfs pull";
  }
  if (is_markup(text)) {
    return "; it is a web page, as a failed download leaves it: download the file again";
  }
  if (text.starts_with("PK\x03\x04")) {
    return "; it is a zip archive (.npz?): save the array alone by numpy.save";
  }
  if (is_npy(bytes)) return "; it is a .npy file: give it that name";
  if (is_gzip(bytes)) return "; it is compressed by gzip: decompress it by gunzip";
  if (text.starts_with(std::string_view("\x00\x00\x08", 3))) return "; it is an idx-ubyte file";
  if (text.size() > 8 && text[8] == '{') {
    return "; it is a .safetensors file: save its tensor alone by numpy.save";
  }
  if (is_table(text)) {
    return "; it is text: convert it with numpy.save(\"x.npy\", numpy.loadtxt(.., "
           "delimiter=\",\"))";
  }
  return "";
}

}  // namespace kantor::data
