#include "runtime/data/fingerprint.hpp"

#include <gtest/gtest.h>

#include <set>

#include "runtime/data/marginal.hpp"
#include "runtime/data/npy.hpp"
#include "tests/runtime/data/files.hpp"
#include "tests/support/temporary_directory.hpp"

namespace kantor::data {
namespace {

std::uint64_t content_of(const std::vector<std::byte>& bytes) {
  Fingerprint fingerprint;
  fingerprint.add_content(bytes);
  return fingerprint.value();
}

TEST(Fingerprint, sees_where_one_part_ends_and_the_next_begins) {
  Fingerprint a;
  a.add_text("ab");
  a.add_text("c");
  Fingerprint b;
  b.add_text("a");
  b.add_text("bc");
  EXPECT_NE(a.value(), b.value());
}

TEST(Fingerprint, sees_every_byte_of_a_small_file) {
  std::vector<std::byte> bytes(100000);
  const std::uint64_t before = content_of(bytes);
  for (const std::size_t at : {std::size_t{0}, std::size_t{54321}, bytes.size() - 1}) {
    bytes[at] = std::byte{1};
    EXPECT_NE(content_of(bytes), before);
    bytes[at] = std::byte{0};
  }
  EXPECT_EQ(content_of(bytes), before);
}

TEST(Fingerprint, sees_the_size_and_both_ends_of_a_large_file) {
  std::vector<std::byte> bytes((std::size_t{65} << 20) + 7);
  const std::uint64_t before = content_of(bytes);
  for (const std::size_t at : {std::size_t{0}, bytes.size() - 1}) {
    bytes[at] = std::byte{1};
    EXPECT_NE(content_of(bytes), before);
    bytes[at] = std::byte{0};
  }
  bytes.push_back(std::byte{0});
  EXPECT_NE(content_of(bytes), before);
}

TEST(Fingerprint, of_a_marginal_differs_by_content_selection_scale_and_weights) {
  const test::TemporaryDirectory folder;
  const std::vector<std::int64_t> shape = {2, 1};
  MarginalConfig config;
  config.path = folder.file("x.npy");
  write_npy(config.path, std::vector<double>{1, 2}, shape);
  std::set<std::uint64_t> seen = {load_marginal(config).fingerprint()};
  seen.insert(load_marginal(config).fingerprint());
  EXPECT_EQ(seen.size(), 1u);
  config.scale = 2;
  seen.insert(load_marginal(config).fingerprint());
  config.rows = {0, 1};
  seen.insert(load_marginal(config).fingerprint());
  config.rows = {1, 2};
  seen.insert(load_marginal(config).fingerprint());
  config.rows = {};
  config.weights = folder.file("a.npy");
  write_npy(config.weights, std::vector<double>{0.25, 0.75}, std::vector<std::int64_t>{2});
  seen.insert(load_marginal(config).fingerprint());
  write_npy(config.path, std::vector<double>{1, 3}, shape);
  seen.insert(load_marginal(config).fingerprint());
  EXPECT_EQ(seen.size(), 6u);
}

TEST(Fingerprint, of_a_generator_differs_by_its_fields) {
  MarginalConfig config;
  config.generator = GeneratorConfig{.name = "gaussian", .n = 5, .d = 2, .seed = 1};
  std::set<std::uint64_t> seen = {load_marginal(config).fingerprint()};
  config.generator->seed = 2;
  seen.insert(load_marginal(config).fingerprint());
  config.generator->wishart = true;
  seen.insert(load_marginal(config).fingerprint());
  config.generator->mean = {1, 0};
  seen.insert(load_marginal(config).fingerprint());
  EXPECT_EQ(seen.size(), 4u);
}

}  // namespace
}  // namespace kantor::data
