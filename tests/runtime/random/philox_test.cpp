#include "runtime/random/philox.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>
#include <vector>

namespace kantor::random {
namespace {

using Words = std::array<std::uint32_t, 4>;

// Known answers published with Random123 (kat_vectors, "philox4x32 10").
TEST(Philox, gives_the_published_answer_for_zeros) {
  EXPECT_EQ(philox({0, 0, 0, 0}, {0, 0}),
            (Words{0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u}));
}

TEST(Philox, gives_the_published_answer_for_all_ones) {
  const std::uint32_t ones = 0xffffffffu;
  EXPECT_EQ(philox({ones, ones, ones, ones}, {ones, ones}),
            (Words{0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu}));
}

TEST(Philox, gives_the_published_answer_for_digits_of_pi) {
  EXPECT_EQ(
      philox({0x243f6a88u, 0x85a308d3u, 0x13198a2eu, 0x03707344u}, {0xa4093822u, 0x299f31d0u}),
      (Words{0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u}));
}

TEST(Stream, is_a_pure_function_of_its_address) {
  const Stream a(7, Purpose::test, 3);
  const Stream b(7, Purpose::test, 3);
  for (std::uint64_t i : {0ull, 1ull, 1000000007ull, 1ull << 63}) {
    EXPECT_EQ(a.block(i), b.block(i));
    EXPECT_EQ(a.uniform(i), b.uniform(i));
    EXPECT_EQ(a.normal(i), b.normal(i));
  }
}

TEST(Stream, differs_in_every_part_of_its_address) {
  const std::uint64_t high_bit = std::uint64_t{1} << 40;
  std::set<Words> blocks;
  blocks.insert(Stream(1, Purpose::test, 0).block(5));
  blocks.insert(Stream(1 + high_bit, Purpose::test, 0).block(5));
  blocks.insert(Stream(2, Purpose::test, 0).block(5));
  blocks.insert(Stream(1, Purpose::sampling, 0).block(5));
  blocks.insert(Stream(1, Purpose::test, 1).block(5));
  blocks.insert(Stream(1, Purpose::test, 0).block(6));
  blocks.insert(Stream(1, Purpose::test, 0).block(5 + high_bit));
  EXPECT_EQ(blocks.size(), 7u);
}

TEST(Stream, does_not_mix_up_index_stream_and_purpose) {
  // Addresses whose words are equal up to their order must stay different.
  std::set<Words> blocks;
  blocks.insert(Stream(0, Purpose::test, 0).block(std::uint64_t{6} << 32));
  blocks.insert(Stream(0, Purpose::test, 6).block(0));
  blocks.insert(Stream(0, Purpose::test, 0).block(6));
  EXPECT_EQ(blocks.size(), 3u);
}

TEST(Stream, uniform_stays_in_the_unit_interval_and_fills_it_evenly) {
  const Stream stream(42, Purpose::test);
  constexpr int kBins = 64;
  constexpr int kDraws = 64000;
  std::vector<int> counts(kBins, 0);
  for (int i = 0; i < kDraws; ++i) {
    const double value = stream.uniform(static_cast<std::uint64_t>(i));
    ASSERT_GE(value, 0.0);
    ASSERT_LT(value, 1.0);
    ++counts[static_cast<std::size_t>(value * kBins)];
  }
  double chi_square = 0;
  const double expected = double{kDraws} / kBins;
  for (const int count : counts) chi_square += (count - expected) * (count - expected) / expected;
  // 63 degrees of freedom: mean 63, standard deviation sqrt(126) = 11.2; five of them on each side.
  EXPECT_GT(chi_square, 63 - 5 * 11.2);
  EXPECT_LT(chi_square, 63 + 5 * 11.2);
}

TEST(Stream, normal_has_the_moments_of_a_standard_normal) {
  const Stream stream(43, Purpose::test);
  constexpr int kDraws = 200000;
  double first = 0, second = 0, third = 0, fourth = 0, neighbours = 0, previous = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double z = stream.normal(static_cast<std::uint64_t>(i));
    ASSERT_TRUE(std::isfinite(z));
    first += z;
    second += z * z;
    third += z * z * z;
    fourth += z * z * z * z;
    neighbours += z * previous;
    previous = z;
  }
  // Standard errors of the means of z^k are sqrt((E z^2k - (E z^k)^2) / n); five of them.
  const double unit_error = 5 / std::sqrt(double{kDraws});
  EXPECT_NEAR(first / kDraws, 0, unit_error);
  EXPECT_NEAR(second / kDraws, 1, unit_error * std::sqrt(2.0));
  EXPECT_NEAR(third / kDraws, 0, unit_error * std::sqrt(15.0));
  EXPECT_NEAR(fourth / kDraws, 3, unit_error * std::sqrt(96.0));
  EXPECT_NEAR(neighbours / kDraws, 0, unit_error);
}

}  // namespace
}  // namespace kantor::random
