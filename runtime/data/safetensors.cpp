#include "runtime/data/safetensors.hpp"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <span>
#include <utility>

#include "runtime/core/error.hpp"
#include "runtime/data/atomic_file.hpp"
#include "runtime/data/checked_size.hpp"
#include "runtime/data/data_file.hpp"
#include "runtime/data/row_sources.hpp"

namespace kantor::data {
namespace {

constexpr std::size_t kMostShown = 10;  // names in a message
constexpr const char* kMetadata = "__metadata__";

const std::byte* first_byte(const DataFile& file, const SafetensorsHeader& header,
                            const TensorEntry& entry) {
  return file.bytes().data() + header.data_offset + static_cast<std::size_t>(entry.begin);
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
  while (text.size() % 8 != 0) text += ' ';
  return text;
}

const TensorEntry& chosen_entry(const std::string& path, const std::string& key,
                                const std::vector<TensorEntry>& entries) {
  std::string names;
  for (std::size_t i = 0; i < std::min(entries.size(), kMostShown); ++i) {
    names += concat(i > 0 ? ", " : "", shown_name(entries[i].name));
  }
  if (entries.size() > kMostShown) names += ", ..";
  if (key.empty()) {
    if (entries.size() == 1) return entries.front();
    throw ConfigError(concat("marginal ", path, " needs key = \"NAME\": the file holds ",
                             entries.size(), " tensors (", names, ")"));
  }
  const auto found = std::find_if(entries.begin(), entries.end(),
                                  [&](const TensorEntry& entry) { return entry.name == key; });
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
  const DataFile file(path);
  const SafetensorsHeader header = read_safetensors_header(file);
  std::vector<NamedTensor> tensors;
  for (const TensorEntry& entry : header.tensors) {
    if (!entry.is_real()) continue;
    const std::byte* first = first_byte(file, header, entry);
    const std::int64_t bytes = entry.num_bytes();
    const bool is_float64 = entry.dtype == "F64";
    tensors.push_back(
        {.name = entry.name,
         .shape = entry.shape,
         .values = is_float64 ? values_at<double>(first, bytes) : values_at<float>(first, bytes),
         .is_float64 = is_float64});
  }
  return tensors;
}

SafetensorsHeader read_safetensors_header(const DataFile& file) {
  return parse_safetensors_header(file.path(), file.bytes());
}

std::shared_ptr<const RowSource> open_tensor(std::shared_ptr<const DataFile> file,
                                             const SafetensorsHeader& header,
                                             const TensorEntry& entry) {
  const auto wrong = [&](const std::string& reason) {
    throw DataError(
        concat("cannot use tensor ", shown_name(entry.name), " of ", file->path(), ": ", reason));
  };
  if (!entry.is_real())
    wrong(concat("its type is ", shown_name(entry.dtype), ", expected F32 or F64"));
  if (entry.shape.size() != 1 && entry.shape.size() != 2) {
    wrong(concat("it has ", entry.shape.size(), " dimensions, expected 2"));
  }
  if (entry.begin == entry.end) wrong("it is empty");
  const std::int64_t d = entry.shape.size() == 2 ? entry.shape[1] : 1;
  const MatrixLayout layout = {.first = first_byte(*file, header, entry),
                               .num_rows = entry.shape[0],
                               .num_dims = d,
                               .row_stride = d,
                               .column_stride = 1};
  return entry.dtype == "F64" ? matrix_rows<double>(layout, std::move(file))
                              : matrix_rows<float>(layout, std::move(file));
}

std::shared_ptr<const RowSource> open_safetensors(std::shared_ptr<const DataFile> file,
                                                  const std::string& key) {
  const SafetensorsHeader header = read_safetensors_header(*file);
  const TensorEntry& entry = chosen_entry(file->path(), key, header.tensors);
  return open_tensor(std::move(file), header, entry);
}

std::shared_ptr<const RowSource> open_safetensors(const std::string& path, const std::string& key) {
  return open_safetensors(std::make_shared<const DataFile>(path), key);
}

}  // namespace kantor::data
