#pragma once

// Snapshots and checkpoint files that the tests share.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <string>
#include <vector>

#include "runtime/checkpoint/checkpoint_file.hpp"
#include "runtime/checkpoint/frame.hpp"
#include "runtime/checkpoint/metadata_archive.hpp"
#include "runtime/checkpoint/snapshot.hpp"

namespace kantor::test {

using checkpoint::ElementKind;
using checkpoint::Snapshot;
using checkpoint::Tensor;
using Bytes = std::vector<std::byte>;

template <class T>
Tensor tensor_of(const std::string& name, const std::vector<std::int64_t>& shape,
                 const std::vector<T>& values) {
  return checkpoint::make_tensor<T>(name, shape, values);
}

/// Every type, numbers that are not finite, empty and scalar tensors; different for every step.
inline Snapshot sample_snapshot(std::int64_t step, std::size_t num_parameters = 300) {
  constexpr double kInf = std::numeric_limits<double>::infinity();
  Snapshot snapshot;
  auto& metadata = snapshot.metadata;
  metadata.step = step;
  metadata.samples_seen = 512 * step;
  metadata.world_size = 4;
  metadata.backend = "mpi";
  metadata.device = "cpu";
  metadata.precision = "float32";
  metadata.config_text = "[problem]\nkind = \"eot\"  # \xc2\xb5\n\n  9 9 9\n";
  metadata.config_hash = 0xfedcba9876543210;
  metadata.data_fingerprints = {1, 0xffffffffffffffff};
  metadata.written_unix_s = 1772366400;
  metadata.environment = {{"kantor", "0.1.0"}, {"NCCL_DEBUG", ""}};
  metadata.numbers = {{"best", 0.1 * static_cast<double>(step)},
                      {"worst", -kInf},
                      {"zero", -0.0},
                      {"tiny", 5e-324},
                      {"gap", std::nan("")}};
  metadata.integers = {{"skipped", -3}, {"least", std::numeric_limits<std::int64_t>::min()}};
  std::vector<float> parameters(num_parameters);
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    parameters[i] = 0.25F * static_cast<float>(i) + static_cast<float>(step);
  }
  snapshot.tensors = {
      tensor_of("parameters", {static_cast<std::int64_t>(num_parameters)}, parameters),
      tensor_of<double>("moments", {2, 3}, {1, -0.0, kInf, -kInf, std::nan("7"), 5e-324}),
      tensor_of<std::int64_t>("positions", {}, {-(std::int64_t{1} << 62)}),
      tensor_of<std::byte>("state", {3}, {std::byte{0}, std::byte{255}, std::byte{7}}),
      tensor_of<float>("nothing", {0, 5}, {}),
  };
  return snapshot;
}

/// The same bits everywhere (NaN among the metadata's numbers: both NaN).
inline void expect_same(const Snapshot& a, const Snapshot& b) {
  const auto& x = a.metadata;
  const auto& y = b.metadata;
  EXPECT_EQ(x.step, y.step);
  EXPECT_EQ(x.samples_seen, y.samples_seen);
  EXPECT_EQ(x.world_size, y.world_size);
  EXPECT_EQ(x.backend, y.backend);
  EXPECT_EQ(x.device, y.device);
  EXPECT_EQ(x.precision, y.precision);
  EXPECT_EQ(x.config_text, y.config_text);
  EXPECT_EQ(x.config_hash, y.config_hash);
  EXPECT_EQ(x.data_fingerprints, y.data_fingerprints);
  EXPECT_EQ(x.written_unix_s, y.written_unix_s);
  EXPECT_EQ(x.environment, y.environment);
  EXPECT_EQ(x.integers, y.integers);
  ASSERT_EQ(x.numbers.size(), y.numbers.size());
  for (const auto& [name, value] : x.numbers) {
    const double other = y.number(name);
    const bool is_same =
        std::isnan(value) ? std::isnan(other) : std::memcmp(&value, &other, sizeof value) == 0;
    EXPECT_TRUE(is_same) << name << " " << value << " " << other;
  }
  ASSERT_EQ(a.tensors.size(), b.tensors.size());
  for (std::size_t i = 0; i < a.tensors.size(); ++i) {
    EXPECT_EQ(a.tensors[i].name, b.tensors[i].name);
    EXPECT_EQ(a.tensors[i].kind, b.tensors[i].kind);
    EXPECT_EQ(a.tensors[i].shape, b.tensors[i].shape);
    EXPECT_EQ(a.tensors[i].data, b.tensors[i].data) << a.tensors[i].name;
  }
}

inline Bytes bytes_of(const std::string& text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

/// A file with this metadata text and the tensors of `snapshot`, every checksum right.
inline Bytes file_with_metadata(const std::string& text, const Snapshot& snapshot) {
  std::vector<checkpoint::Section> sections = {
      {{'m', 'e', 't', 'a', 'd', 'a', 't', 'a'}, std::as_bytes(std::span(text))}};
  for (const Tensor& tensor : snapshot.tensors) {
    sections.push_back({{'t', 'e', 'n', 's', 'o', 'r'}, tensor.data});
  }
  return checkpoint::frame(sections);
}

inline void store_bytes(const std::string& path, const Bytes& bytes) {
  std::filesystem::remove(path);
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
  file.close();
  ASSERT_TRUE(file.good()) << path;
}

inline Bytes load_bytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  return bytes_of(text);
}

/// Names in a folder, sorted.
inline std::vector<std::string> names_in(const std::filesystem::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace kantor::test
