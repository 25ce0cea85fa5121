#include "runtime/data/safetensors.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>
#include <span>
#include <string_view>
#include <utility>

#include "runtime/core/error.hpp"
#include "runtime/data/atomic_file.hpp"
#include "runtime/data/checked_size.hpp"
#include "runtime/data/mapped_file.hpp"
#include "runtime/data/row_sources.hpp"

// Format: https://github.com/huggingface/safetensors#format

namespace kantor::data {
namespace {

static_assert(std::endian::native == std::endian::little, "the format is little-endian");

constexpr std::size_t kLengthBytes = 8;
constexpr std::uint64_t kLongestHeader = 100'000'000;
constexpr std::size_t kDeepestNesting = 3;  // { name: { shape: [ .. ] } }
constexpr std::size_t kMostShown = 10;      // names in a message
constexpr const char* kMetadata = "__metadata__";

[[noreturn]] void refuse(const std::string& path, const std::string& reason) {
  throw DataError(concat("cannot read ", path, " as safetensors: ", reason));
}

/// A name from a file as messages show it: one line, in quotes.
std::string shown(const std::string& name) { return nlohmann::json(name).dump(); }

/// One entry of the header.
struct Entry {
  std::string name;
  std::string dtype;
  std::vector<std::int64_t> shape;
  std::int64_t begin = 0;  ///< bytes from the start of the data
  std::int64_t end = 0;

  bool is_real() const { return dtype == "F32" || dtype == "F64"; }
};

std::int64_t element_bytes(const std::string& dtype) {
  static constexpr std::pair<std::string_view, std::int64_t> kTypes[] = {
      {"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"F8_E5M2", 1}, {"F8_E4M3", 1},
      {"I16", 2},  {"U16", 2}, {"F16", 2}, {"BF16", 2},    {"I32", 4},
      {"U32", 4},  {"F32", 4}, {"I64", 8}, {"U64", 8},     {"F64", 8}};
  for (const auto& [name, bytes] : kTypes) {
    if (name == dtype) return bytes;
  }
  return 0;
}

/// Parses JSON, refusing repeated keys and deep nesting, which the library lets pass.
nlohmann::json parse_header(const std::string& path, std::string_view text) {
  std::vector<std::set<std::string>> keys;
  const auto watch = [&](int, nlohmann::json::parse_event_t event, nlohmann::json& value) {
    using Event = nlohmann::json::parse_event_t;
    if (event == Event::object_start || event == Event::array_start) keys.emplace_back();
    if (event == Event::object_end || event == Event::array_end) keys.pop_back();
    if (keys.size() > kDeepestNesting) refuse(path, "its header is nested too deeply");
    if (event == Event::key && !keys.back().insert(value.get<std::string>()).second) {
      refuse(path, concat("its header names ", shown(value.get<std::string>()), " twice"));
    }
    return true;
  };
  try {
    return nlohmann::json::parse(text, watch);
  } catch (const nlohmann::json::exception& error) {
    refuse(path, concat("its header is not JSON: ", error.what()));
  }
}

std::vector<std::int64_t> sizes(const std::string& path, const std::string& name,
                                const nlohmann::json& entry, const char* key) {
  const auto found = entry.find(key);
  if (found == entry.end() || !found->is_array()) {
    refuse(path, concat("tensor ", shown(name), " has no list ", key));
  }
  std::vector<std::int64_t> result;
  for (const auto& item : *found) {
    // Positive whole numbers are stored as unsigned.
    if (!item.is_number_unsigned() || !std::in_range<std::int64_t>(item.get<std::uint64_t>())) {
      refuse(path,
             concat("tensor ", shown(name), ": ", key, " holds ", item.dump(), ", expected sizes"));
    }
    result.push_back(item.get<std::int64_t>());
  }
  return result;
}

Entry read_entry(const std::string& path, const std::string& name, const nlohmann::json& json) {
  if (!json.is_object() || json.size() != 3 || !json.contains("dtype") ||
      !json["dtype"].is_string()) {
    refuse(path, concat("tensor ", shown(name), " is not described by dtype, shape, data_offsets"));
  }
  Entry entry;
  entry.name = name;
  entry.dtype = json["dtype"].get<std::string>();
  entry.shape = sizes(path, name, json, "shape");
  const auto offsets = sizes(path, name, json, "data_offsets");
  const std::int64_t element = element_bytes(entry.dtype);
  if (element == 0)
    refuse(path, concat("tensor ", shown(name), " has the unknown type ", shown(entry.dtype)));
  if (offsets.size() != 2 || offsets[0] > offsets[1]) {
    refuse(path, concat("tensor ", shown(name), ": data_offsets are not [begin, end]"));
  }
  entry.begin = offsets[0];
  entry.end = offsets[1];
  const auto count = checked_product(entry.shape);
  std::int64_t bytes = 0;
  if (!count || __builtin_mul_overflow(*count, element, &bytes) ||
      bytes != entry.end - entry.begin) {
    refuse(path, concat("tensor ", shown(name), ": its shape and its ", entry.end - entry.begin,
                        " bytes do not fit together"));
  }
  return entry;
}

/// The tensors must fill the data without holes or overlaps.
void check_layout(const std::string& path, std::vector<Entry> entries, std::int64_t data_bytes) {
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  std::int64_t at = 0;
  for (const Entry& entry : entries) {
    if (entry.begin != at) {
      refuse(path, concat("tensor ", shown(entry.name), " begins at byte ", entry.begin,
                          ", expected ", at));
    }
    at = entry.end;
  }
  if (at != data_bytes) {
    refuse(path, concat(at > data_bytes ? "it is truncated" : "it is too long",
                        ": its tensors take ", at, " bytes, ", data_bytes, " are there"));
  }
}

/// A mapped file and what its header says. Entries by name.
struct Opened {
  std::shared_ptr<const MappedFile> file;
  std::vector<Entry> entries;
  const std::byte* data = nullptr;
};

Opened open_file(const std::string& path) {
  Opened opened;
  opened.file = std::make_shared<const MappedFile>(path);
  const auto bytes = opened.file->bytes();
  if (bytes.size() < kLengthBytes) refuse(path, "it is truncated within its first 8 bytes");
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), kLengthBytes);
  if (length > kLongestHeader) refuse(path, concat("it announces a header of ", length, " bytes"));
  if (length > bytes.size() - kLengthBytes) {
    refuse(path,
           concat("it is truncated: a header of ", length, " bytes in a file of ", bytes.size()));
  }
  const auto text = bytes.subspan(kLengthBytes, static_cast<std::size_t>(length));
  const nlohmann::json header =
      parse_header(path, std::string_view(reinterpret_cast<const char*>(text.data()), text.size()));
  if (!header.is_object()) refuse(path, "its header is not a table of tensors");
  for (const auto& [name, entry] : header.items()) {
    if (name != kMetadata) opened.entries.push_back(read_entry(path, name, entry));
  }
  const auto data = bytes.subspan(kLengthBytes + static_cast<std::size_t>(length));
  check_layout(path, opened.entries, static_cast<std::int64_t>(data.size()));
  opened.data = data.data();
  return opened;
}

template <class T>
std::vector<double> values_at(const std::byte* first, std::int64_t bytes) {
  std::vector<double> values(static_cast<std::size_t>(bytes) / sizeof(T));
  for (std::size_t i = 0; i < values.size(); ++i) {
    T value;
    std::memcpy(&value, first + i * sizeof(T), sizeof(T));
    values[i] = static_cast<double>(value);
  }
  return values;
}

std::vector<std::byte> stored_bytes(const NamedTensor& tensor) {
  if (tensor.is_float64) {
    const auto bytes = std::as_bytes(std::span(tensor.values));
    return {bytes.begin(), bytes.end()};
  }
  const std::vector<float> narrow(tensor.values.begin(), tensor.values.end());
  const auto bytes = std::as_bytes(std::span(narrow));
  return {bytes.begin(), bytes.end()};
}

/// The header, padded by spaces so that the data starts at a multiple of 8 bytes.
std::string make_header(const std::vector<NamedTensor>& tensors,
                        const std::map<std::string, std::string>& metadata) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header[kMetadata] = metadata;
  std::size_t at = 0;
  for (const NamedTensor& tensor : tensors) {
    KANTOR_CHECK(tensor.name != kMetadata && !header.contains(tensor.name),
                 "a second tensor of the name ", tensor.name);
    KANTOR_CHECK(checked_product(tensor.shape) == static_cast<std::int64_t>(tensor.values.size()),
                 "tensor ", tensor.name, " has ", tensor.values.size(), " values");
    const std::size_t end = at + tensor.values.size() * (tensor.is_float64 ? 8 : 4);
    header[tensor.name] = {{"dtype", tensor.is_float64 ? "F64" : "F32"},
                           {"shape", tensor.shape},
                           {"data_offsets", {at, end}}};
    at = end;
  }
  std::string text = header.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  while (text.size() % kLengthBytes != 0) text += ' ';
  return text;
}

const Entry& chosen_entry(const std::string& path, const std::string& key,
                          const std::vector<Entry>& entries) {
  std::string names;
  for (std::size_t i = 0; i < std::min(entries.size(), kMostShown); ++i) {
    names += concat(i > 0 ? ", " : "", shown(entries[i].name));
  }
  if (entries.size() > kMostShown) names += ", ..";
  if (key.empty()) {
    if (entries.size() == 1) return entries.front();
    throw ConfigError(concat("marginal ", path, " needs key = \"NAME\": the file holds ",
                             entries.size(), " tensors (", names, ")"));
  }
  const auto found = std::find_if(entries.begin(), entries.end(),
                                  [&](const Entry& entry) { return entry.name == key; });
  if (found != entries.end()) return *found;
  throw ConfigError(
      concat("key = \"", key, "\" of marginal ", path, ": no such tensor; the file holds ", names));
}

}  // namespace

void write_safetensors(const std::string& path, const std::vector<NamedTensor>& tensors,
                       const std::map<std::string, std::string>& metadata) {
  const std::string header = make_header(tensors, metadata);
  const std::uint64_t length = header.size();
  AtomicFile file(path);
  file.write(std::as_bytes(std::span(&length, 1)));
  file.write(std::as_bytes(std::span(header)));
  for (const NamedTensor& tensor : tensors) file.write(stored_bytes(tensor));
  file.commit();
}

std::vector<NamedTensor> read_safetensors(const std::string& path) {
  const Opened opened = open_file(path);
  std::vector<NamedTensor> tensors;
  for (const Entry& entry : opened.entries) {
    if (!entry.is_real()) continue;
    const std::byte* first = opened.data + entry.begin;
    const std::int64_t bytes = entry.end - entry.begin;
    const bool is_float64 = entry.dtype == "F64";
    tensors.push_back(
        {.name = entry.name,
         .shape = entry.shape,
         .values = is_float64 ? values_at<double>(first, bytes) : values_at<float>(first, bytes),
         .is_float64 = is_float64});
  }
  return tensors;
}

std::vector<TensorOutline> outline_safetensors(const std::string& path) {
  std::vector<TensorOutline> outlines;
  Opened opened = open_file(path);
  for (Entry& entry : opened.entries) {
    outlines.push_back({.name = std::move(entry.name),
                        .dtype = std::move(entry.dtype),
                        .shape = std::move(entry.shape),
                        .bytes = entry.end - entry.begin});
  }
  return outlines;
}

std::shared_ptr<const RowSource> open_safetensors(const std::string& path, const std::string& key) {
  const Opened opened = open_file(path);
  const Entry& entry = chosen_entry(path, key, opened.entries);
  const auto wrong = [&](const std::string& reason) {
    throw DataError(concat("cannot use tensor ", shown(entry.name), " of ", path, ": ", reason));
  };
  if (!entry.is_real()) wrong(concat("its type is ", entry.dtype, ", expected F32 or F64"));
  if (entry.shape.size() != 1 && entry.shape.size() != 2) {
    wrong(concat("it has ", entry.shape.size(), " dimensions, expected 2"));
  }
  if (entry.begin == entry.end) wrong("it is empty");
  const std::int64_t d = entry.shape.size() == 2 ? entry.shape[1] : 1;
  const MatrixLayout layout = {.first = opened.data + entry.begin,
                               .num_rows = entry.shape[0],
                               .num_dims = d,
                               .row_stride = d,
                               .column_stride = 1};
  return entry.dtype == "F64" ? matrix_rows<double>(layout, opened.file)
                              : matrix_rows<float>(layout, opened.file);
}

}  // namespace kantor::data
