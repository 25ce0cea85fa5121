#pragma once

// What a checkpoint holds, in memory.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace kantor::checkpoint {

enum class ElementKind : std::uint8_t { float32 = 1, float64 = 2, int64 = 3, byte = 4 };

/// "float32"; "unknown" for a number that is no kind.
const char* name_of(ElementKind kind);
/// Bytes of one element; 0 for a number that is no kind.
std::int64_t element_bytes(ElementKind kind);

template <class T>
constexpr ElementKind kind_of() {
  static_assert(std::is_same_v<T, float> || std::is_same_v<T, double> ||
                std::is_same_v<T, std::int64_t> || std::is_same_v<T, std::byte>);
  if constexpr (std::is_same_v<T, float>) return ElementKind::float32;
  if constexpr (std::is_same_v<T, double>) return ElementKind::float64;
  if constexpr (std::is_same_v<T, std::int64_t>) return ElementKind::int64;
  return ElementKind::byte;
}

/// A named array, row-major; an empty shape is one number.
struct Tensor {
  std::string name;
  ElementKind kind = ElementKind::float32;
  std::vector<std::int64_t> shape;
  std::vector<std::byte> data;
};

template <class T>
Tensor make_tensor(std::string name, std::vector<std::int64_t> shape, std::span<const T> values) {
  const auto bytes = std::as_bytes(values);
  return {std::move(name), kind_of<T>(), std::move(shape), {bytes.begin(), bytes.end()}};
}

/// Everything but the tensors: who wrote it from what, and the numbers that steer the run.
struct Metadata {
  std::int64_t step = 0;          ///< steps done
  std::int64_t samples_seen = 0;  ///< by all ranks
  std::int64_t world_size = 1;
  std::string backend;      ///< "self", "thread", "mpi", "nccl"
  std::string device;       ///< "cpu", "cuda"
  std::string precision;    ///< "float32", "float64"
  std::string config_text;  ///< resolved.toml
  std::uint64_t config_hash = 0;
  std::vector<std::uint64_t> data_fingerprints;    ///< one per marginal
  std::int64_t written_unix_s = 0;                 ///< wall clock, for people only
  std::map<std::string, std::string> environment;  ///< versions of libraries, git id, NCCL_*, ..
  /// Training control by name (learning-rate schedule, outlier windows, best values, ..). Every
  /// double comes back as the same bits, NaN aside, which comes back as some NaN.
  std::map<std::string, double> numbers;
  std::map<std::string, std::int64_t> integers;

  /// @throws DataError that names what is missing and what is there.
  double number(const std::string& name) const;
  std::int64_t integer(const std::string& name) const;
};

struct Snapshot {
  Metadata metadata;
  std::vector<Tensor> tensors;

  /// Null if there is no such tensor.
  const Tensor* find(std::string_view name) const;
  /// @throws DataError that names what is missing, or of which type and shape it is.
  const Tensor& tensor(const std::string& name) const;
  const Tensor& tensor(const std::string& name, ElementKind kind,
                       std::span<const std::int64_t> shape) const;
  /// The numbers of a tensor that must have this type and shape. @throws DataError.
  template <class T>
  std::vector<T> values(const std::string& name, std::span<const std::int64_t> shape) const {
    const Tensor& found = tensor(name, kind_of<T>(), shape);
    std::vector<T> result(found.data.size() / sizeof(T));
    if (!result.empty()) std::memcpy(result.data(), found.data.data(), found.data.size());
    return result;
  }
};

/// Bytes that kind and shape ask for; -1 if there are none such (unknown kind, negative size,
/// overflow).
std::int64_t tensor_bytes(ElementKind kind, std::span<const std::int64_t> shape);

/// "float32 [128, 2]".
std::string type_text(ElementKind kind, std::span<const std::int64_t> shape);

/// Why the snapshot cannot be in a file, or "": too long, too many, a name used twice or not made
/// of printable ASCII, sizes that do not fit. The same limits bind the writer and the reader.
/// @param with_data whether the tensors have their data.
std::string broken_limit(const Snapshot& snapshot, bool with_data);

/// The table of maxima. A file cannot make a reader allocate more than it holds, and small entries
/// are few, so that the memory around them stays small too.
inline constexpr std::size_t kMostTensors = 65536;
inline constexpr std::size_t kMostDimensions = 8;
inline constexpr std::size_t kMostEntries = 4096;  ///< of each list of the metadata
inline constexpr std::size_t kLongestName = 256;
inline constexpr std::size_t kLongestText = std::size_t{4} << 20;
inline constexpr std::size_t kLongestMetadata = std::size_t{24} << 20;

}  // namespace kantor::checkpoint
