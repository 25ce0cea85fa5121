#include "runtime/data/data_file.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>

#include "launch/inspect/description.hpp"
#include "launch/summary.hpp"
#include "runtime/core/error.hpp"
#include "runtime/core/shortened.hpp"
#include "runtime/core/text.hpp"
#include "runtime/data/data_format.hpp"
#include "runtime/data/idx.hpp"
#include "runtime/data/marginal.hpp"
#include "runtime/data/npy.hpp"
#include "runtime/data/safetensors.hpp"

// Shapes: n rows, D dimensions.

namespace kantor::launch {
namespace {

// What is looked at of a matrix: at most so many values, in at most so many rows.
constexpr std::int64_t kMostValues = std::int64_t{1} << 22;
constexpr std::int64_t kMostRows = 65536;
constexpr std::int64_t kBlockValues = 65536;
constexpr std::size_t kMostTensors = 12;  // shown
constexpr std::size_t kLongestName = 60;

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string text = "[";
  for (const std::int64_t size : shape) text += concat(text.size() > 1 ? ", " : "", size);
  return text + "]";
}

std::string size_text(std::int64_t bytes) { return format_bytes(static_cast<double>(bytes)); }

std::string file_size(const std::string& path) {
  std::error_code ignored;
  return size_text(static_cast<std::int64_t>(std::filesystem::file_size(path, ignored)));
}

/// A string as TOML writes it between quotes.
std::string quoted(const std::string& text) {
  std::string result = "\"";
  for (const char c : text) result += concat(c == '"' || c == '\\' ? "\\" : "", c);
  return result + "\"";
}

struct Statistics {
  double smallest = std::numeric_limits<double>::infinity();
  double largest = -std::numeric_limits<double>::infinity();
  double sum = 0;
  std::int64_t num_finite = 0;
  std::string first_bad;  ///< "NaN at row 6, column 1"

  void add(double value, std::int64_t row, std::int64_t column) {
    if (std::isfinite(value)) {
      smallest = std::min(smallest, value);
      largest = std::max(largest, value);
      sum += value;
      ++num_finite;
    } else if (first_bad.empty()) {
      first_bad = concat(std::isnan(value) ? "NaN"
                         : value > 0       ? "inf"
                                           : "-inf",
                         " at row ", row, ", column ", column);
    }
  }
};

/// Rows that are looked at: all, or every so many-th.
std::vector<std::int64_t> sampled_rows(std::int64_t n, std::int64_t d) {
  std::int64_t count = n;
  if (n > kMostValues / d) count = std::clamp(kMostValues / d, std::int64_t{1}, kMostRows);
  std::vector<std::int64_t> rows;
  const std::int64_t stride = n / count;
  for (std::int64_t i = 0; i < count; ++i) rows.push_back(i * stride);
  return rows;
}

/// min, max, mean, and the first value that is none.
std::vector<std::string> describe_values(const data::RowSource& source) {
  const std::int64_t n = source.num_rows();
  const std::int64_t d = source.num_dims();
  const std::vector<std::int64_t> rows = sampled_rows(n, d);
  const auto block = static_cast<std::size_t>(std::max(std::int64_t{1}, kBlockValues / d));
  Statistics statistics;
  std::vector<double> values;
  for (std::size_t first = 0; first < rows.size(); first += block) {
    const auto some = std::span(rows).subspan(first, std::min(block, rows.size() - first));
    values.resize(some.size() * static_cast<std::size_t>(d));
    source.read(some, values.data());
    for (std::size_t i = 0; i < values.size(); ++i) {
      const auto at = static_cast<std::int64_t>(i);
      statistics.add(values[i], some[static_cast<std::size_t>(at / d)], at % d);
    }
  }
  const auto num_rows = static_cast<std::int64_t>(rows.size());
  const std::string of = num_rows == n ? "of all values" : concat("of ", num_rows, " rows of ", n);
  std::vector<std::string> lines;
  if (statistics.num_finite > 0) {
    lines.push_back(labelled(
        "values",
        concat("min ", statistics.smallest, ", max ", statistics.largest, ", mean ",
               statistics.sum / static_cast<double>(statistics.num_finite), " (", of, ")")));
  }
  lines.push_back(
      labelled("not finite", statistics.first_bad.empty()
                                 ? concat("none (", of, ")")
                                 : concat(statistics.first_bad,
                                          "; kantor run will refuse the file as points (in "
                                          "problem.cost_file, inf forbids a pair)")));
  return lines;
}

void append(std::vector<std::string>& lines, const std::vector<std::string>& more) {
  lines.insert(lines.end(), more.begin(), more.end());
}

Description describe_npy(const std::string& path) {
  const auto file = std::make_shared<const data::DataFile>(path);
  const data::NpyHeader header = data::read_npy_header(*file);
  Description description;
  auto& lines = description.lines;
  lines.push_back(concat(path, ": .npy array, ", file_size(path)));
  lines.push_back(labelled(
      "shape", shape_text(header.shape) + (header.fortran_order ? ", Fortran order" : "")));
  lines.push_back(labelled("type", header.descr));
  try {
    const auto source = data::open_npy(file);
    lines.push_back(labelled("points", concat(source->num_rows(), ", d = ", source->num_dims())));
    append(lines, describe_values(*source));
    lines.push_back(labelled("in a problem", "path = " + quoted(path)));
    if (header.shape.size() == 1) lines.back() += ", or weights = " + quoted(path);
  } catch (const DataError& error) {  // whole, but no points
    lines.push_back(labelled("no marginal", error.what()));
  }
  return description;
}

/// "5 labels: 0 x 6000, 1 x 6000, ..".
std::string label_text(const std::vector<std::uint8_t>& labels) {
  constexpr int kMostLabels = 12;
  std::vector<std::int64_t> counts(256, 0);
  for (const std::uint8_t label : labels) ++counts[label];
  int num_labels = 0;
  std::string text;
  for (std::size_t label = 0; label < counts.size(); ++label) {
    if (counts[label] == 0 || ++num_labels > kMostLabels) continue;
    text += concat(text.empty() ? "" : ", ", label, " x ", counts[label]);
  }
  return concat(num_labels, " different: ", text, num_labels > kMostLabels ? ", .." : "");
}

Description describe_idx(const std::string& path) {
  const std::vector<std::int64_t> shape = data::read_idx_shape(path);
  Description description;
  auto& lines = description.lines;
  lines.push_back(
      concat(path, ": idx-ubyte ", shape.size() == 1 ? "labels" : "images", ", ", file_size(path)));
  lines.push_back(labelled("shape", shape_text(shape)));
  lines.push_back(labelled("type", "unsigned bytes"));
  if (shape.size() == 1) {
    lines.push_back(labelled("labels", label_text(data::read_idx_labels(path))));
    lines.push_back(labelled("in a problem", concat("labels = ", quoted(path), ", select = [..]")));
    return description;
  }
  const auto source = data::open_idx(path);
  lines.push_back(labelled("points", concat(source->num_rows(), ", d = ", source->num_dims())));
  append(lines, describe_values(*source));
  lines.push_back(labelled(
      "in a problem", concat("path = ", quoted(path), ", scale = 0.00392156862745098 (1/255)")));
  return description;
}

bool is_matrix(const data::TensorEntry& tensor) {
  return tensor.is_real() && tensor.num_bytes() > 0 &&
         (tensor.shape.size() == 1 || tensor.shape.size() == 2);
}

Description describe_safetensors(const std::string& path) {
  const auto file = std::make_shared<const data::DataFile>(path);
  const data::SafetensorsHeader header = data::read_safetensors_header(*file);
  const std::vector<data::TensorEntry>& tensors = header.tensors;
  Description description;
  auto& lines = description.lines;
  lines.push_back(concat(path, ": safetensors, ", tensors.size(),
                         tensors.size() == 1 ? " tensor, " : " tensors, ", file_size(path)));
  const data::TensorEntry* largest = nullptr;  // of those that can be points
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const data::TensorEntry& tensor = tensors[i];
    if (is_matrix(tensor) && (!largest || tensor.num_bytes() > largest->num_bytes()))
      largest = &tensor;
    if (i == kMostTensors) lines.push_back(concat("  .. and ", tensors.size() - i, " more"));
    if (i >= kMostTensors) continue;
    lines.push_back(
        labelled(quoted(printable(shortened(tensor.name, kLongestName))),
                 concat(printable(shortened(tensor.dtype, kLongestName)), " ",
                        shape_text(tensor.shape), ", ", size_text(tensor.num_bytes()))));
    if (!is_matrix(tensor)) continue;
    const auto values = describe_values(*data::open_tensor(file, header, tensor));
    if (tensors.size() <= kMostTensors / 2) {
      append(lines, values);
    } else if (values.back().find("will refuse") != std::string::npos) {
      lines.push_back(values.back());
    }
  }
  lines.push_back(
      largest != nullptr
          ? labelled("in a problem", concat("path = ", quoted(path), ", key = ",
                                            quoted(printable(shortened(largest->name, 500)))))
          : labelled("no marginal", "no tensor is F32 or F64 of one or two dimensions"));
  return description;
}

}  // namespace

Description describe_data_file(const std::string& path) {
  switch (data::format_of(data::DataFile(path))) {
    case data::DataFormat::npy:
      return describe_npy(path);
    case data::DataFormat::idx:
      return describe_idx(path);
    case data::DataFormat::safetensors:
      return describe_safetensors(path);
  }
  return {};
}

}  // namespace kantor::launch
