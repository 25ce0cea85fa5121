#include "runtime/random/permutation.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <vector>

#include "runtime/core/error.hpp"

namespace kantor::random {
namespace {

std::vector<std::uint64_t> images(const Permutation& permutation) {
  std::vector<std::uint64_t> result;
  for (std::uint64_t i = 0; i < permutation.size(); ++i) result.push_back(permutation(i));
  return result;
}

TEST(Permutation, is_a_bijection_for_small_odd_and_power_of_two_sizes) {
  for (std::uint64_t n :
       {1ull, 2ull, 3ull, 4ull, 5ull, 7ull, 16ull, 17ull, 64ull, 1000ull, 65536ull, 65537ull}) {
    const Permutation permutation(n, 12, Purpose::test, 1, 2);
    std::vector<bool> seen(n, false);
    for (const std::uint64_t image : images(permutation)) {
      ASSERT_LT(image, n);
      ASSERT_FALSE(seen[image]) << "n " << n << ", image " << image;
      seen[image] = true;
    }
  }
}

TEST(Permutation, applies_to_many_what_it_applies_to_one) {
  for (const std::uint64_t n : {1ull, 2ull, 17ull, 256ull, 257ull, 1000ull, 65537ull}) {
    const Permutation permutation(n, 12, Purpose::test, 1, 2);
    std::vector<std::int64_t> many;
    std::vector<std::int64_t> one;
    for (std::uint64_t i = 0; i < std::min<std::uint64_t>(n, 700); ++i) {
      many.push_back(static_cast<std::int64_t>(n - 1 - i));
      one.push_back(static_cast<std::int64_t>(permutation(n - 1 - i)));
    }
    permutation.apply(many);
    EXPECT_EQ(many, one) << "n " << n;
  }
}

TEST(Permutation, is_the_same_when_made_again) {
  EXPECT_EQ(images(Permutation(1000, 1, Purpose::sampling, 0, 9)),
            images(Permutation(1000, 1, Purpose::sampling, 0, 9)));
}

TEST(Permutation, differs_by_seed_purpose_stream_and_epoch) {
  const std::uint64_t n = 1000;
  const std::uint64_t high_bit = std::uint64_t{1} << 40;
  const auto base = images(Permutation(n, 1, Purpose::sampling, 0, 0));
  const std::vector<std::vector<std::uint64_t>> others = {
      images(Permutation(n, 2, Purpose::sampling, 0, 0)),
      images(Permutation(n, 1 + high_bit, Purpose::sampling, 0, 0)),
      images(Permutation(n, 1, Purpose::holdout, 0, 0)),
      images(Permutation(n, 1, Purpose::sampling, 1, 0)),
      images(Permutation(n, 1, Purpose::sampling, 0, 1)),
      images(Permutation(n, 1, Purpose::sampling, 0, high_bit))};
  for (const auto& other : others) {
    int equal = 0;
    for (std::size_t i = 0; i < n; ++i) equal += base[i] == other[i] ? 1 : 0;
    EXPECT_LT(equal, 12);  // Poisson with mean 1: above 11 once in 10^9
  }
}

TEST(Permutation, takes_every_order_of_three_equally_often) {
  constexpr int kEpochs = 12000;
  std::map<std::vector<std::uint64_t>, int> counts;
  for (int epoch = 0; epoch < kEpochs; ++epoch) {
    ++counts[images(Permutation(3, 5, Purpose::test, 0, static_cast<std::uint64_t>(epoch)))];
  }
  ASSERT_EQ(counts.size(), 6u);
  double chi_square = 0;
  for (const auto& [order, count] : counts) {
    chi_square += (count - kEpochs / 6.0) * (count - kEpochs / 6.0) / (kEpochs / 6.0);
  }
  EXPECT_LT(chi_square, 30.9);  // 5 degrees of freedom: 1e-5
}

TEST(Permutation, sends_every_index_everywhere_equally_often) {
  constexpr std::size_t kN = 10;
  constexpr int kEpochs = 20000;
  std::array<std::array<int, kN>, kN> counts{};
  for (int epoch = 0; epoch < kEpochs; ++epoch) {
    const Permutation permutation(kN, 6, Purpose::test, 0, static_cast<std::uint64_t>(epoch));
    for (std::size_t i = 0; i < kN; ++i) ++counts[i][permutation(i)];
  }
  double chi_square = 0;
  const double expected = double{kEpochs} / kN;
  for (const auto& row : counts) {
    for (const int count : row) chi_square += (count - expected) * (count - expected) / expected;
  }
  // (n - 1)^2 = 81 degrees of freedom up to the factor n / (n - 1): mean 90, standard deviation 14.
  EXPECT_LT(chi_square, 90 + 5 * 14);
}

TEST(Permutation, puts_neighbours_apart_for_a_large_size) {
  constexpr std::uint64_t kN = 100003;
  const Permutation permutation(kN, 8, Purpose::test, 0, 0);
  double sum = 0;
  for (std::uint64_t i = 0; i + 1 < kN; ++i) {
    const double centre = (kN - 1) / 2.0;
    sum += (static_cast<double>(permutation(i)) - centre) *
           (static_cast<double>(permutation(i + 1)) - centre);
  }
  const double variance = double{kN} * double{kN} / 12;
  EXPECT_LT(std::abs(sum / (variance * double{kN})), 5 / std::sqrt(double{kN}));
}

TEST(Permutation, works_for_sizes_beyond_32_bits) {
  const std::uint64_t n = (std::uint64_t{1} << 40) + 1;
  const Permutation permutation(n, 1, Purpose::test, 0, 0);
  for (std::uint64_t i = 0; i < 1000; ++i) EXPECT_LT(permutation(n - 1 - i), n);
  const std::uint64_t largest = ~std::uint64_t{0};
  EXPECT_LT(Permutation(largest, 1, Purpose::test, 0, 0)(3), largest);
}

TEST(Permutation, refuses_to_permute_nothing) {
  EXPECT_THROW(Permutation(0, 1, Purpose::test, 0, 0), NumericError);
}

TEST(Permutation, refuses_an_index_out_of_range) {
  const Permutation permutation(7, 1, Purpose::test, 0, 0);
  EXPECT_THROW(permutation(7), NumericError);
  for (const std::int64_t bad : {std::int64_t{7}, std::int64_t{-1}}) {
    std::vector<std::int64_t> values = {3, bad};
    EXPECT_THROW(permutation.apply(values), NumericError);
  }
}

}  // namespace
}  // namespace kantor::random
