#include "runtime/checkpoint/snapshot.hpp"

#include <algorithm>
#include <set>

#include "runtime/core/error.hpp"
#include "runtime/core/text.hpp"
#include "runtime/data/checked_size.hpp"

namespace kantor::checkpoint {
namespace {

constexpr std::size_t kMostShown = 10;  // names in a message

std::string listed(const std::vector<std::string>& names) {
  if (names.empty()) return "none";
  const auto shown = std::span(names).first(std::min(names.size(), kMostShown));
  return join(shown) + (names.size() > kMostShown ? ", .." : "");
}

template <class Value>
Value entry(const std::map<std::string, Value>& entries, const std::string& name,
            const char* what) {
  const auto found = entries.find(name);
  if (found != entries.end()) return found->second;
  std::vector<std::string> names;
  names.reserve(entries.size());
  for (const auto& [key, value] : entries) names.push_back(key);
  throw DataError(concat("the checkpoint has no ", what, " '", name, "'; it has ", listed(names)));
}

bool is_name(const std::string& name) {
  return !name.empty() && name.size() <= kLongestName &&
         std::all_of(name.begin(), name.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

template <class Value>
bool has_bad_entry(const std::map<std::string, Value>& entries) {
  return entries.size() > kMostEntries ||
         std::any_of(entries.begin(), entries.end(),
                     [](const auto& each) { return !is_name(each.first); });
}

std::string broken_metadata(const Metadata& metadata) {
  if (metadata.step < 0) return concat("its step is ", metadata.step);
  if (metadata.samples_seen < 0) return concat("its count of samples is ", metadata.samples_seen);
  if (metadata.world_size < 1) return concat("its world size is ", metadata.world_size);
  if (metadata.config_text.size() > kLongestText) {
    return concat("its configuration has ", metadata.config_text.size(), " bytes, at most ",
                  kLongestText, " are allowed");
  }
  for (const std::string* text : {&metadata.backend, &metadata.device, &metadata.precision}) {
    if (!text->empty() && !is_name(*text)) return "its backend, device or precision is no name";
  }
  if (metadata.data_fingerprints.size() > kMostEntries) return "it has too many fingerprints";
  if (has_bad_entry(metadata.environment) || has_bad_entry(metadata.numbers) ||
      has_bad_entry(metadata.integers)) {
    return concat("a list of its metadata has more than ", kMostEntries,
                  " entries, or a name that is not 1 to ", kLongestName, " printable letters");
  }
  for (const auto& [name, text] : metadata.environment) {
    if (text.size() > kLongestName * 16) return concat("the text of '", name, "' is too long");
  }
  return "";
}

std::string broken_tensor(const Tensor& tensor, bool with_data) {
  if (!is_name(tensor.name)) return "a tensor's name is not made of 1 to 256 printable letters";
  if (tensor.shape.size() > kMostDimensions) {
    return concat("tensor '", tensor.name, "' has ", tensor.shape.size(), " dimensions");
  }
  const std::int64_t bytes = tensor_bytes(tensor.kind, tensor.shape);
  if (bytes < 0) {
    return concat("tensor '", tensor.name, "' of type ", type_text(tensor.kind, tensor.shape),
                  " cannot exist");
  }
  if (with_data && static_cast<std::uint64_t>(bytes) != tensor.data.size()) {
    return concat("tensor '", tensor.name, "' of type ", type_text(tensor.kind, tensor.shape),
                  " has ", tensor.data.size(), " bytes, expected ", bytes);
  }
  return "";
}

}  // namespace

const char* name_of(ElementKind kind) {
  switch (kind) {
    case ElementKind::float32:
      return "float32";
    case ElementKind::float64:
      return "float64";
    case ElementKind::int64:
      return "int64";
    case ElementKind::byte:
      return "byte";
  }
  return "unknown";
}

std::int64_t element_bytes(ElementKind kind) {
  switch (kind) {
    case ElementKind::float32:
      return 4;
    case ElementKind::float64:
    case ElementKind::int64:
      return 8;
    case ElementKind::byte:
      return 1;
  }
  return 0;
}

double Metadata::number(const std::string& name) const { return entry(numbers, name, "number"); }

std::int64_t Metadata::integer(const std::string& name) const {
  return entry(integers, name, "integer");
}

const Tensor* Snapshot::find(std::string_view name) const {
  const auto found = std::find_if(tensors.begin(), tensors.end(),
                                  [&](const Tensor& tensor) { return tensor.name == name; });
  return found == tensors.end() ? nullptr : &*found;
}

const Tensor& Snapshot::tensor(const std::string& name) const {
  const Tensor* found = find(name);
  if (found != nullptr) return *found;
  std::vector<std::string> names;
  for (const Tensor& tensor : tensors) names.push_back(tensor.name);
  throw DataError(concat("the checkpoint has no tensor '", name, "'; it has ", listed(names)));
}

const Tensor& Snapshot::tensor(const std::string& name, ElementKind kind,
                               std::span<const std::int64_t> shape) const {
  const Tensor& found = tensor(name);
  if (found.kind != kind ||
      !std::equal(shape.begin(), shape.end(), found.shape.begin(), found.shape.end())) {
    throw DataError(concat("tensor '", name, "' of the checkpoint is ",
                           type_text(found.kind, found.shape), ", but this run needs ",
                           type_text(kind, shape), "; was the network changed?"));
  }
  return found;
}

std::int64_t tensor_bytes(ElementKind kind, std::span<const std::int64_t> shape) {
  const auto count = data::checked_product(shape);
  std::int64_t bytes = 0;
  if (!count || element_bytes(kind) == 0 ||
      __builtin_mul_overflow(*count, element_bytes(kind), &bytes)) {
    return -1;
  }
  return bytes;
}

std::string type_text(ElementKind kind, std::span<const std::int64_t> shape) {
  std::vector<std::string> sizes;
  for (const std::int64_t size : shape) sizes.push_back(concat(size));
  return concat(name_of(kind), " [", join(sizes), "]");
}

std::string broken_limit(const Snapshot& snapshot, bool with_data) {
  if (snapshot.tensors.size() > kMostTensors) {
    return concat("it has ", snapshot.tensors.size(), " tensors, at most ", kMostTensors,
                  " are allowed");
  }
  std::string reason = broken_metadata(snapshot.metadata);
  std::set<std::string_view> names;
  for (const Tensor& tensor : snapshot.tensors) {
    if (!reason.empty()) return reason;
    reason = broken_tensor(tensor, with_data);
    if (reason.empty() && !names.insert(tensor.name).second) {
      return concat("it has two tensors named '", tensor.name, "'");
    }
  }
  return reason;
}

}  // namespace kantor::checkpoint
