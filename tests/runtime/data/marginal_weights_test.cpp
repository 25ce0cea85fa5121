#include <gmock/gmock.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "runtime/data/marginal.hpp"
#include "runtime/data/npy.hpp"
#include "tests/runtime/data/files.hpp"
#include "tests/support/temporary_directory.hpp"
#include "tests/support/tolerance.hpp"

namespace kantor::data {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class MarginalWeights : public testing::Test {
 protected:
  MarginalWeights() {
    write_npy(folder_.file("x.npy"), std::vector<double>{0, 1, 2, 3},
              std::vector<std::int64_t>{4, 1});
    config_.path = folder_.file("x.npy");
    config_.weights = folder_.file("a.npy");
  }
  Marginal load(const std::vector<double>& weights) {
    write_npy(config_.weights, weights,
              std::vector<std::int64_t>{static_cast<std::int64_t>(weights.size())});
    return load_marginal(config_);
  }
  std::string refusal(const std::vector<double>& weights) {
    return test::message_of<DataError>([&] { load(weights); });
  }
  test::TemporaryDirectory folder_;
  MarginalConfig config_;
};

TEST_F(MarginalWeights, are_kept_with_their_zeros) {
  const Marginal marginal = load({0.5, 0, 0.25, 0.25});
  EXPECT_TRUE(marginal.is_weighted());
  EXPECT_EQ(marginal.weight(2), 0.25);
  EXPECT_THAT(marginal.weights(), ElementsAre(0.5, 0, 0.25, 0.25));
}

TEST_F(MarginalWeights, are_rescaled_when_nearly_normalised) {
  const Marginal marginal = load({0.50004, 0, 0.25, 0.25});
  const std::vector<double> weights = marginal.weights();
  EXPECT_NEAR(std::accumulate(weights.begin(), weights.end(), 0.0), 1, test::tol<double>(4));
  EXPECT_NEAR(weights[2], 0.25 / 1.00004, test::tol<double>(4));
}

TEST_F(MarginalWeights, that_do_not_sum_to_one_are_refused_naming_sum_and_remedy) {
  const std::string message = refusal({0.5, 0.5, 0.5, 0.5});
  EXPECT_THAT(message, HasSubstr("sum to 2"));
  EXPECT_THAT(refusal({0.50011, 0, 0.25, 0.25}), HasSubstr("is 0.00011 from 1"));
  EXPECT_THAT(message, HasSubstr("normalise = true"));
  EXPECT_THAT(refusal({0.5002, 0, 0.25, 0.25}), HasSubstr("1.0002"));
  EXPECT_THAT(refusal({0.4998, 0, 0.25, 0.25}), HasSubstr("0.9998"));
}

TEST_F(MarginalWeights, are_normalised_on_demand) {
  config_.normalise = true;
  EXPECT_THAT(load({1, 2, 0, 1}).weights(), ElementsAre(0.25, 0.5, 0, 0.25));
  const double huge = std::numeric_limits<double>::max();  // a plain sum overflows
  EXPECT_THAT(load({huge, huge, huge, huge}).weights(), ElementsAre(0.25, 0.25, 0.25, 0.25));
}

TEST_F(MarginalWeights, without_a_reciprocal_count_as_none) {
  const double least = std::numeric_limits<double>::min();
  EXPECT_THAT(load({0.5, least / 2, least, 0.5}).weights(), ElementsAre(0.5, 0, least, 0.5));
}

TEST_F(MarginalWeights, of_the_whole_file_are_selected_with_the_rows) {
  config_.rows = {1, 3};
  config_.normalise = true;
  EXPECT_THAT(load({5, 3, 1, 7}).weights(), ElementsAre(0.75, 0.25));
}

TEST_F(MarginalWeights, of_the_selected_rows_are_taken_as_they_are) {
  config_.rows = {1, 3};
  EXPECT_THAT(load({0.75, 0.25}).weights(), ElementsAre(0.75, 0.25));
}

TEST_F(MarginalWeights, of_another_number_are_refused) {
  EXPECT_THAT(refusal({0.5, 0.25, 0.25}), HasSubstr("there are 3, expected 4"));
  config_.rows = {1, 3};
  EXPECT_THAT(refusal({0.5, 0.25, 0.25}), HasSubstr("expected 2, one per point, or 4"));
}

TEST_F(MarginalWeights, negative_or_not_finite_are_refused_naming_the_first) {
  EXPECT_THAT(refusal({0.5, -0.25, 0.5, 0.25}), HasSubstr("weight 1 is -0.25"));
  EXPECT_THAT(refusal({0.5, 0.5, 0, std::nan("")}), HasSubstr("weight 3 is nan"));
  config_.normalise = true;
  EXPECT_THAT(refusal({0.5, 0.5, 0, std::numeric_limits<double>::infinity()}),
              HasSubstr("weight 3 is inf"));
}

TEST_F(MarginalWeights, all_zero_are_refused) {
  EXPECT_THAT(refusal({0, 0, 0, 0}), HasSubstr("all of them are 0"));
  config_.normalise = true;
  EXPECT_THAT(refusal({0, 0, 0, 0}), HasSubstr("all of them are 0"));
}

TEST_F(MarginalWeights, in_a_file_of_another_kind_are_refused) {
  EXPECT_THAT(test::message_of<DataError>([&] { load_marginal(config_); }), HasSubstr("a.npy"));
  write_npy(config_.weights, std::vector<double>{0.5, 0.5, 0, 0}, std::vector<std::int64_t>{2, 2});
  EXPECT_THAT(test::message_of<DataError>([&] { load_marginal(config_); }), HasSubstr("(2, 2)"));
}

}  // namespace
}  // namespace kantor::data
