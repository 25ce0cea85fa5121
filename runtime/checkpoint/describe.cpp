#include "runtime/checkpoint/describe.hpp"

#include <time.h>

#include <algorithm>
#include <array>
#include <cstdio>

#include "runtime/checkpoint/checkpoint_file.hpp"
#include "runtime/checkpoint/frame.hpp"
#include "runtime/core/error.hpp"
#include "runtime/core/text.hpp"

namespace kantor::checkpoint {
namespace {

/// "2026-03-01 12:00:00 UTC".
std::string time_text(std::int64_t unix_s) {
  const auto seconds = static_cast<time_t>(unix_s);
  tm parts{};
  std::array<char, 64> text{};
  if (::gmtime_r(&seconds, &parts) == nullptr ||
      ::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S UTC", &parts) == 0) {
    return concat(unix_s, " s after 1970");
  }
  return text.data();
}

std::string hex(std::uint64_t value) {
  std::array<char, 20> text{};
  std::snprintf(text.data(), text.size(), "%016llx", static_cast<unsigned long long>(value));
  return text.data();
}

std::string line(std::string label, const std::string& text) {
  label.resize(std::max<std::size_t>(label.size() + 1, 16), ' ');
  return "  " + label + text;
}

std::string known(const std::string& text) { return text.empty() ? "unknown" : text; }

/// Text from a file on one line.
std::string one_line(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < ' ' || c == '\x7f') c = ' ';
  }
  return text;
}

void describe_tensors(const std::vector<Tensor>& tensors, std::vector<std::string>& lines) {
  std::int64_t num_elements = 0;
  std::int64_t num_bytes = 0;
  for (const Tensor& tensor : tensors) {
    const std::int64_t bytes = tensor_bytes(tensor.kind, tensor.shape);
    num_elements += bytes / element_bytes(tensor.kind);
    num_bytes += bytes;
  }
  lines.push_back(line("tensors", concat(tensors.size(), " with ", num_elements, " elements, ",
                                         format_bytes(static_cast<double>(num_bytes)))));
  for (const Tensor& tensor : tensors) {
    lines.push_back(
        line("  " + tensor.name,
             concat(type_text(tensor.kind, tensor.shape), ", ",
                    format_bytes(static_cast<double>(tensor_bytes(tensor.kind, tensor.shape))))));
  }
}

void describe_metadata(const Metadata& metadata, std::vector<std::string>& lines) {
  lines.push_back(
      line("step", concat(metadata.step, ", ", metadata.samples_seen, " samples seen")));
  lines.push_back(line("written", time_text(metadata.written_unix_s)));
  lines.push_back(
      line("written by", concat(metadata.world_size, metadata.world_size == 1 ? " rank" : " ranks",
                                ", backend ", known(metadata.backend), ", ", known(metadata.device),
                                ", ", known(metadata.precision))));
  lines.push_back(line("config", concat("hash ", hex(metadata.config_hash), ", ",
                                        metadata.config_text.size(), " bytes")));
  for (std::size_t i = 0; i < metadata.data_fingerprints.size(); ++i) {
    lines.push_back(
        line(concat("marginal ", i), "fingerprint " + hex(metadata.data_fingerprints[i])));
  }
  for (const auto& [name, text] : metadata.environment) lines.push_back(line(name, one_line(text)));
  for (const auto& [name, value] : metadata.integers) lines.push_back(line(name, concat(value)));
  for (const auto& [name, value] : metadata.numbers) {
    lines.push_back(line(name, format_number(value)));
  }
}

}  // namespace

std::vector<std::string> describe(const std::string& path) {
  std::vector<std::string> lines;
  try {
    data::FileSystem files;
    const Snapshot snapshot = read_outline(path, files);
    lines.push_back(concat("checkpoint ", path, ": valid"));
    lines.push_back(
        line("file", concat(format_bytes(static_cast<double>(data::InputFile(path, files).size())),
                            ", format ", kFormatVersion)));
    describe_metadata(snapshot.metadata, lines);
    describe_tensors(snapshot.tensors, lines);
  } catch (const Error& error) {
    lines = {concat("checkpoint ", path, ": not valid"), line("reason", error.what())};
  }
  return lines;
}

}  // namespace kantor::checkpoint
