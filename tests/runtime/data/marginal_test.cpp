#include "runtime/data/marginal.hpp"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>
#include <thread>

#include "runtime/data/coordinate_range.hpp"
#include "runtime/data/npy.hpp"
#include "runtime/data/row_sources.hpp"
#include "runtime/data/safetensors.hpp"
#include "tests/runtime/data/files.hpp"
#include "tests/support/temporary_directory.hpp"

namespace kantor::data {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

/// Five points in the plane, and a label for each.
class MarginalTest : public testing::Test {
 protected:
  MarginalTest() {
    write_npy(points_, values_, std::vector<std::int64_t>{5, 2});
    test::write_bytes(labels_, test::idx_file({5}, std::string("\1\2\1\3\2", 5)));
  }
  MarginalConfig config() const {
    MarginalConfig result;
    result.path = points_;
    return result;
  }
  MarginalConfig selecting(std::vector<std::int64_t> labels) const {
    MarginalConfig result = config();
    result.labels = labels_;
    result.select = std::move(labels);
    return result;
  }
  static std::string refusal(const MarginalConfig& config) {
    return test::message_of<ConfigError>([&] { load_marginal(config); });
  }
  static std::string data_refusal(const MarginalConfig& config) {
    return test::message_of<DataError>([&] { load_marginal(config); });
  }

  const std::vector<double> values_ = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
  test::TemporaryDirectory folder_;
  const std::string points_ = folder_.file("x.npy");
  const std::string labels_ = folder_.file("labels");
};

TEST_F(MarginalTest, holds_all_rows_uniformly_by_default) {
  const Marginal marginal = load_marginal(config());
  EXPECT_EQ(marginal.n(), 5);
  EXPECT_EQ(marginal.d(), 2);
  EXPECT_EQ(marginal.name(), points_);
  EXPECT_FALSE(marginal.is_weighted());
  EXPECT_EQ(marginal.weight(3), 0.2);
  EXPECT_THAT(marginal.weights(), ElementsAre(0.2, 0.2, 0.2, 0.2, 0.2));
  EXPECT_EQ(marginal.holdout(), 0);
  EXPECT_EQ(test::values_of(marginal), values_);
}

TEST_F(MarginalTest, scales_then_shifts) {
  MarginalConfig scaled = config();
  scaled.scale = 0.5;
  const Marginal marginal = load_marginal(scaled);
  EXPECT_THAT(test::values_of(marginal, {1, -1}),
              ElementsAre(-1, 1.5, 0, 2.5, 1, 3.5, 2, 4.5, 3, 5.5));
  std::vector<float> row(2);
  marginal.read(std::vector<std::int64_t>{4}, std::vector<double>{1, -1}, row.data());
  EXPECT_THAT(row, ElementsAre(3, 5.5f));
}

TEST_F(MarginalTest, subtracts_the_shift_before_rounding_to_float) {
  // 1e8 + 1 is no float; minus 1e8 it is.
  write_npy(points_, std::vector<double>{1e8 + 1, 1e8 + 3}, std::vector<std::int64_t>{2, 1});
  EXPECT_THAT(test::values_of<float>(load_marginal(config()), {1e8}), ElementsAre(1, 3));
}

TEST_F(MarginalTest, reads_more_rows_than_a_block_holds) {
  std::vector<double> values(70000);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<double>(i);
  const Marginal marginal("x", memory_rows(values, 35000, 2), {}, 1, {}, 0, 0);
  EXPECT_EQ(test::values_of(marginal), values);
  auto shifted = test::values_of<float>(marginal, {1, 1});
  EXPECT_EQ(shifted.back(), 69998.f);
  EXPECT_EQ(shifted[40000], 39999.f);
}

TEST_F(MarginalTest, selects_by_label_then_takes_a_range) {
  EXPECT_THAT(test::values_of(load_marginal(selecting({1, 3}))), ElementsAre(0, 1, 4, 5, 6, 7));
  MarginalConfig ranged = selecting({1, 3});
  ranged.rows = {1, 3};
  const Marginal marginal = load_marginal(ranged);
  EXPECT_THAT(test::values_of(marginal), ElementsAre(4, 5, 6, 7));
  EXPECT_EQ(marginal.source_row(1), 3);
  ranged = config();
  ranged.rows = {4, 5};
  EXPECT_THAT(test::values_of(load_marginal(ranged)), ElementsAre(8, 9));
}

TEST_F(MarginalTest, knows_formats_by_content) {
  const std::string npy = folder_.file("points.dat");
  std::filesystem::copy_file(points_, npy);
  const std::string idx = folder_.file("images");
  test::write_bytes(idx, test::idx_file({2, 1, 2}, "abcd"));
  const std::string tensors = folder_.file("latents.bin");
  write_safetensors(tensors, {{.name = "z", .shape = {1, 3}, .values = {1, 2, 3}}}, {});
  MarginalConfig any = config();
  any.path = npy;
  EXPECT_EQ(load_marginal(any).n(), 5);
  any.path = idx;
  EXPECT_EQ(load_marginal(any).d(), 2);
  any.path = tensors;
  any.key = "z";
  EXPECT_EQ(load_marginal(any).d(), 3);
}

TEST_F(MarginalTest, holds_generated_points) {
  MarginalConfig generated;
  generated.generator = GeneratorConfig{.name = "gaussian", .n = 6, .d = 2, .seed = 3};
  generated.rows = {2, 4};
  const Marginal marginal = load_marginal(generated);
  EXPECT_EQ(marginal.name(), "generator gaussian");
  const auto all = generate(*generated.generator);
  EXPECT_EQ(test::values_of(marginal), std::vector<double>(all.begin() + 4, all.begin() + 8));
}

TEST_F(MarginalTest, may_be_read_by_several_threads) {
  MarginalConfig scaled = selecting({1, 2, 3});
  scaled.scale = 2;
  const Marginal marginal = load_marginal(scaled);
  const auto expected = test::values_of<float>(marginal, {1, 1});
  std::vector<std::vector<float>> results(4);
  std::vector<std::thread> threads;
  for (auto& result : results) {
    threads.emplace_back([&] {
      for (int i = 0; i < 200; ++i) result = test::values_of<float>(marginal, {1, 1});
    });
  }
  for (auto& thread : threads) thread.join();
  for (const auto& result : results) EXPECT_EQ(result, expected);
}

TEST_F(MarginalTest, refuses_rows_out_of_range) {
  const Marginal marginal = load_marginal(config());
  double values[4];
  EXPECT_THROW(marginal.read(std::vector<std::int64_t>{5}, {}, values), NumericError);
  EXPECT_THROW(marginal.read(std::vector<std::int64_t>{-1}, {}, values), NumericError);
  EXPECT_THROW(marginal.read_range(4, 2, {}, values), NumericError);
  EXPECT_THROW(marginal.read_range(-1, 2, {}, values), NumericError);
  EXPECT_THROW(marginal.read_range(0, 1, std::vector<double>{1}, values), NumericError);
  EXPECT_THROW(marginal.source_row(5), NumericError);
  EXPECT_THROW(marginal.weight(5), NumericError);
}

TEST_F(MarginalTest, finds_the_first_value_that_is_not_finite) {
  std::vector<double> values = values_;
  values[5] = std::numeric_limits<double>::quiet_NaN();
  values[8] = -std::numeric_limits<double>::infinity();
  write_npy(points_, values, std::vector<std::int64_t>{5, 2});
  const Marginal marginal = load_marginal(config());
  EXPECT_EQ(find_nonfinite(marginal, 0, 2), "");
  EXPECT_EQ(find_nonfinite(marginal, 3, 4), "");
  EXPECT_EQ(find_nonfinite(marginal, 3, 3), "");
  EXPECT_EQ(find_beyond(marginal, 0, 1, std::abs(values[1])), "");
  EXPECT_THAT(find_beyond(marginal, 0, 1, std::abs(values[1]) / 2),
              testing::AllOf(HasSubstr("row 0, column 1"), HasSubstr("range of double")));
  EXPECT_THAT(find_nonfinite(marginal, 0, 5), HasSubstr("row 2, column 1 is NaN"));
  EXPECT_THAT(find_nonfinite(marginal, 3, 5), HasSubstr("row 4, column 0 is -inf"));
  EXPECT_THAT(find_nonfinite(load_marginal(selecting({1})), 0, 2),
              HasSubstr("row 2 (1 of those selected), column 1 is NaN"));
}

// Bad input.

TEST_F(MarginalTest, refuses_neither_and_both_of_path_and_generator) {
  EXPECT_THAT(refusal(MarginalConfig{}), HasSubstr("path or a generator"));
  MarginalConfig both = config();
  both.generator = GeneratorConfig{.name = "gaussian", .n = 5, .d = 2};
  EXPECT_THAT(refusal(both), HasSubstr("both"));
}

TEST_F(MarginalTest, refuses_a_selection_without_labels_and_labels_without_a_selection) {
  MarginalConfig without = config();
  without.select = {1};
  EXPECT_THAT(refusal(without), HasSubstr("labels"));
  without = config();
  without.labels = labels_;
  EXPECT_THAT(refusal(without), HasSubstr("select"));
}

TEST_F(MarginalTest, refuses_labels_of_another_length) {
  MarginalConfig other = selecting({1});
  test::write_bytes(labels_, test::idx_file({4}, "abcd"));
  const std::string message = data_refusal(other);
  EXPECT_THAT(message, HasSubstr("5 rows"));
  EXPECT_THAT(message, HasSubstr("4 labels"));
}

TEST_F(MarginalTest, refuses_labels_that_do_not_occur) {
  EXPECT_THAT(refusal(selecting({1, 7})), HasSubstr("7"));
  EXPECT_THAT(refusal(selecting({-1})), HasSubstr("-1"));
  EXPECT_THAT(refusal(selecting({257})), HasSubstr("257"));  // is not taken modulo 256
}

TEST_F(MarginalTest, refuses_ranges_that_select_nothing_or_too_much) {
  const std::vector<std::vector<std::int64_t>> bad = {{0},    {0, 1, 2}, {2, 2},
                                                      {3, 2}, {-1, 2},   {0, 6}};
  for (const auto& rows : bad) {
    MarginalConfig ranged = config();
    ranged.rows = rows;
    EXPECT_THAT(refusal(ranged), HasSubstr("rows"));
  }
  MarginalConfig ranged = selecting({1});
  ranged.rows = {0, 3};
  EXPECT_THAT(refusal(ranged), HasSubstr("only 2"));
}

TEST_F(MarginalTest, refuses_scale_holdout_and_key_out_of_place) {
  MarginalConfig bad = config();
  bad.scale = 0;
  EXPECT_THAT(refusal(bad), HasSubstr("scale"));
  bad.scale = std::numeric_limits<double>::infinity();
  EXPECT_THAT(refusal(bad), HasSubstr("scale"));
  bad = config();
  bad.key = "z";
  EXPECT_THAT(refusal(bad), HasSubstr("key"));
  bad = config();
  bad.normalise = true;
  EXPECT_THAT(refusal(bad), HasSubstr("normalise"));
}

TEST_F(MarginalTest, refuses_files_it_does_not_know) {
  MarginalConfig other = config();
  other.path = folder_.file("missing.npy");
  EXPECT_THAT(data_refusal(other), HasSubstr("missing.npy"));
  other.path = folder_.file("missing");
  EXPECT_THAT(data_refusal(other), HasSubstr("missing"));
  other.path = folder_.file("x.npz");
  test::write_bytes(other.path, "PK\x03\x04 and more");
  EXPECT_THAT(data_refusal(other), HasSubstr("npz"));
  other.path = folder_.file("x.npy.gz");
  test::write_bytes(other.path, "\x1f\x8b and more");
  EXPECT_THAT(data_refusal(other), HasSubstr("gunzip"));
  other.path = folder_.file("x.csv");
  test::write_bytes(other.path, "1,2\n");
  EXPECT_THAT(data_refusal(other), HasSubstr("numpy.save"));
}

TEST(MarginalConfig, reads_every_field_with_paths_made_absolute) {
  const test::TemporaryDirectory folder;
  test::write_bytes(folder.file("p.toml"), R"([m]
path = "x.npy"
key = "k"
weights = "a.npy"
normalise = true
labels = "sub/l"
select = [2, 3]
scale = 0.5
rows = [0, 4]
holdout = 0.1
)");
  const config::Value root = config::parse_toml_file(folder.file("p.toml"));
  config::Value resolved{config::Table{}, "", ""};
  const auto config = config::read<MarginalConfig>(root, "m", resolved);
  EXPECT_EQ(config.path, folder.file("x.npy"));
  EXPECT_EQ(config.key, "k");
  EXPECT_EQ(config.weights, folder.file("a.npy"));
  EXPECT_TRUE(config.normalise);
  EXPECT_EQ(config.labels, folder.file("sub/l"));
  EXPECT_THAT(config.select, ElementsAre(2, 3));
  EXPECT_EQ(config.scale, 0.5);
  EXPECT_THAT(config.rows, ElementsAre(0, 4));
  EXPECT_EQ(config.holdout, 0.1);
  EXPECT_FALSE(config.generator.has_value());
}

TEST(MarginalConfig, refuses_numbers_out_of_their_range) {
  for (const char* line : {"holdout = -0.1", "holdout = 1", "holdout = nan", "n = -1"}) {
    const test::TemporaryDirectory folder;
    test::write_bytes(folder.file("p.toml"), std::string("[m]\n") + line + "\n");
    const config::Value root = config::parse_toml_file(folder.file("p.toml"));
    config::Value resolved{config::Table{}, "", ""};
    EXPECT_THAT(
        test::message_of<ConfigError>([&] { config::read<MarginalConfig>(root, "m", resolved); }),
        AllOf(HasSubstr(std::string(line).substr(0, 1)), HasSubstr("p.toml:2")));
  }
}

TEST(MarginalConfig, resolved_form_reads_back_the_same) {
  const test::TemporaryDirectory folder;
  test::write_bytes(folder.file("p.toml"), R"([m]
generator = { name = "gaussian", n = 4, d = 2, covariance = [[2, 0], [0, 1]] }
)");
  config::Value resolved{config::Table{}, "", ""};
  const auto first =
      config::read<MarginalConfig>(config::parse_toml_file(folder.file("p.toml")), "m", resolved);
  test::write_bytes(folder.file("resolved.toml"), config::to_toml(resolved, true));
  config::Value again{config::Table{}, "", ""};
  const auto second = config::read<MarginalConfig>(
      config::parse_toml_file(folder.file("resolved.toml")), "m", again);
  EXPECT_EQ(load_marginal(first).fingerprint(), load_marginal(second).fingerprint());
  EXPECT_EQ(second.generator->covariance, (std::vector<double>{2, 0, 0, 1}));
}

}  // namespace
}  // namespace kantor::data
