#include "runtime/data/moments.hpp"

#include <gmock/gmock.h>

#include <cmath>

#include "runtime/data/row_sources.hpp"
#include "runtime/random/philox.hpp"
#include "tests/runtime/data/files.hpp"
#include "tests/support/tolerance.hpp"

namespace kantor::data {
namespace {

using testing::ElementsAre;

constexpr std::int64_t kN = 1300;  // two blocks and a rest
constexpr std::int64_t kD = 5;

Marginal random_marginal(bool is_weighted, double offset = 0) {
  const random::Stream stream(4, random::Purpose::test);
  std::vector<double> values(kN * kD);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = offset + stream.normal(i);
  std::vector<double> weights;
  if (is_weighted) {
    double sum = 0;
    for (std::uint64_t i = 0; i < kN; ++i) {
      weights.push_back(i % 7 == 0 ? 0 : stream.uniform(100000 + i));
      sum += weights.back();
    }
    for (double& weight : weights) weight /= sum;
  }
  return {"random", memory_rows(values, kN, kD), {}, 1, weights, 0, 0};
}

TEST(Moments, of_two_points_are_those_of_the_formula) {
  const Marginal marginal("two", memory_rows(std::vector<double>{0, 0, 4, 2}, 2, 2), {}, 1,
                          {0.75, 0.25}, 0, 0);
  const auto mean = partial_mean(marginal, 0, 2);
  EXPECT_THAT(mean, ElementsAre(1, 0.5));
  const CentralSums sums = partial_central_sums(marginal, 0, 2, mean, true);
  // Deviations (-1, -1/2) and (3, 3/2), squares 5/4 and 45/4.
  EXPECT_EQ(sums.square, 0.75 * 1.25 + 0.25 * 11.25);
  EXPECT_EQ(sums.fourth, 0.75 * 1.25 * 1.25 + 0.25 * 11.25 * 11.25);
  EXPECT_THAT(sums.third,
              ElementsAre(-0.75 * 1.25 + 0.25 * 11.25 * 3, -0.75 * 1.25 / 2 + 0.25 * 11.25 * 1.5));
  EXPECT_THAT(sums.variances, ElementsAre(3, 0.75));
  ASSERT_EQ(sums.covariance.size(), 4u);
  const double bound = test::tol<double>(2) * 3;  // the square roots of the weights are rounded
  EXPECT_NEAR(sums.covariance[0], 3, bound);
  EXPECT_NEAR(sums.covariance[1], 1.5, bound);
  EXPECT_NEAR(sums.covariance[2], 1.5, bound);
  EXPECT_NEAR(sums.covariance[3], 0.75, bound);
}

TEST(Moments, leave_the_covariance_out_unless_asked) {
  const Marginal marginal = random_marginal(false);
  EXPECT_TRUE(partial_central_sums(marginal, 0, kN, partial_mean(marginal, 0, kN), false)
                  .covariance.empty());
}

TEST(Moments, agree_with_the_definition) {
  for (const bool is_weighted : {false, true}) {
    const Marginal marginal = random_marginal(is_weighted);
    const auto x = test::values_of(marginal);
    const auto mean = partial_mean(marginal, 0, kN);
    const CentralSums sums = partial_central_sums(marginal, 0, kN, mean, true);
    const double bound = test::tol<double>(kN);
    for (std::size_t a = 0; a < kD; ++a) {
      double expected_mean = 0;
      for (std::size_t i = 0; i < kN; ++i) {
        expected_mean += marginal.weight(static_cast<std::int64_t>(i)) * x[i * kD + a];
      }
      EXPECT_NEAR(mean[a], expected_mean, bound);
      for (std::size_t b = 0; b < kD; ++b) {
        double expected = 0;
        for (std::size_t i = 0; i < kN; ++i) {
          expected += marginal.weight(static_cast<std::int64_t>(i)) * (x[i * kD + a] - mean[a]) *
                      (x[i * kD + b] - mean[b]);
        }
        EXPECT_NEAR(sums.covariance[a * kD + b], expected, bound);
        if (a == b) {
          EXPECT_NEAR(sums.variances[a], expected, bound);
        }
      }
    }
  }
}

TEST(Moments, do_not_depend_on_how_rows_are_cut) {
  const Marginal marginal = random_marginal(true);
  const auto mean = partial_mean(marginal, 0, kN);
  const CentralSums whole = partial_central_sums(marginal, 0, kN, mean, true);
  for (const std::int64_t cut : {0, 1, 511, 512, 513, 1299, 1300}) {
    const auto first = partial_mean(marginal, 0, cut);
    const auto second = partial_mean(marginal, cut, kN);
    const CentralSums a = partial_central_sums(marginal, 0, cut, mean, true);
    const CentralSums b = partial_central_sums(marginal, cut, kN, mean, true);
    const double bound = test::tol<double>(kN);
    EXPECT_NEAR(a.square + b.square, whole.square, bound * whole.square);
    EXPECT_NEAR(a.fourth + b.fourth, whole.fourth, bound * whole.fourth);
    for (std::size_t k = 0; k < kD; ++k) {
      EXPECT_NEAR(first[k] + second[k], mean[k], bound);
      EXPECT_NEAR(a.third[k] + b.third[k], whole.third[k], bound * whole.fourth);
      EXPECT_NEAR(a.variances[k] + b.variances[k], whole.variances[k], bound);
    }
    for (std::size_t k = 0; k < kD * kD; ++k) {
      EXPECT_NEAR(a.covariance[k] + b.covariance[k], whole.covariance[k], bound);
    }
  }
}

TEST(Moments, lose_nothing_to_a_large_common_offset) {
  const Marginal near = random_marginal(true);
  const Marginal far = random_marginal(true, 1e6);
  const auto near_sums = partial_central_sums(near, 0, kN, partial_mean(near, 0, kN), false);
  const auto far_sums = partial_central_sums(far, 0, kN, partial_mean(far, 0, kN), false);
  // The offset itself rounds each value by 1e6 eps; the deviations are of size 1.
  EXPECT_NEAR(far_sums.square, near_sums.square, 1e6 * test::tol<double>(kN));
}

TEST(Moments, refuse_rows_out_of_range_and_a_mean_of_another_size) {
  const Marginal marginal = random_marginal(false);
  EXPECT_THROW(partial_mean(marginal, -1, 3), NumericError);
  EXPECT_THROW(partial_mean(marginal, 0, kN + 1), NumericError);
  EXPECT_THROW(partial_mean(marginal, 3, 2), NumericError);
  EXPECT_THROW(partial_central_sums(marginal, 0, kN, std::vector<double>(kD + 1), false),
               NumericError);
}

}  // namespace
}  // namespace kantor::data
