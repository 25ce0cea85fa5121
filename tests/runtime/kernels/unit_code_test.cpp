// Every code, every boundary between two of them, and the loops that read them.

#include "runtime/kernels/absorbed/unit_code.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/runtime/kernels/available_sets.hpp"
#include "tests/runtime/kernels/random_problem.hpp"
#include "tests/support/tolerance.hpp"

namespace kantor::kernels::test {
namespace {

using kantor::test::tol;

constexpr int kFirst = 0x400;  // of those that are made, but for 0
constexpr int kLast = 0xFFFF;

std::uint16_t code(int k) { return static_cast<std::uint16_t>(k); }

TEST(UnitCode, stands_for_six_bits_of_exponent_and_ten_of_mantissa) {
  EXPECT_EQ(decode(0), 0);
  for (int k = kFirst; k <= kLast; ++k) {
    const double expected = std::ldexp(1 + (k & 0x3FF) / 1024., (k >> 10) - 63);
    ASSERT_EQ(static_cast<double>(decode(code(k))), expected) << k;
    ASSERT_EQ(encode(decode(code(k))), k);
    // What the loops compute with is a normal number.
    ASSERT_EQ(std::fpclassify(decode(code(k)) / kCodeUnit), FP_NORMAL) << k;
  }
  EXPECT_EQ(decode(kFirst), kSmallestCoded);
  EXPECT_EQ(decode(63 << 10), 1);
}

TEST(UnitCode, is_the_nearest_and_the_even_one_of_two) {
  for (int k = kFirst; k < kLast; ++k) {
    const float low = decode(code(k)), high = decode(code(k + 1));
    const float middle = low + (high - low) / 2;  // exact
    ASSERT_EQ(encode(middle), k % 2 == 0 ? k : k + 1) << k;
    ASSERT_EQ(encode(std::nextafter(middle, low)), k) << k;
    ASSERT_EQ(encode(std::nextafter(middle, high)), k + 1) << k;
    ASSERT_LE(static_cast<double>(middle - low), kCodeError * static_cast<double>(middle)) << k;
  }
}

TEST(UnitCode, has_edges) {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  for (const float nothing :
       {0.f, -0.f, -1.f, -infinity, std::numeric_limits<float>::denorm_min(),
        std::numeric_limits<float>::min(), std::nextafter(kSmallestCoded, 0.f)}) {
    EXPECT_EQ(encode(nothing), 0) << nothing;
  }
  EXPECT_EQ(encode(kSmallestCoded), kFirst);
  for (const float one : {1.f, std::nextafter(1.f, 0.f), std::nextafter(1.f, 2.f)}) {
    EXPECT_EQ(decode(encode(one)), 1) << one;  // the first is rounded to the next exponent
  }
  for (const float large :
       {std::nextafter(2.f, 0.f), 2.f, 1e30f, infinity, std::numeric_limits<float>::quiet_NaN()}) {
    EXPECT_EQ(encode(large), kLast) << large;
  }
}

/// All codes that are made, in an order without pattern. @param n at most 64,512 are different.
std::vector<std::uint16_t> some_codes(std::int64_t n, std::uint64_t first = 0) {
  std::vector<std::uint16_t> codes(static_cast<std::size_t>(n));
  for (std::size_t j = 0; j < codes.size(); ++j) {
    codes[j] = code(kFirst + static_cast<int>((j + first) * 25643 % (kLast - kFirst + 1)));
  }
  return codes;
}

/// The rows of a matrix.
struct CodeRows {
  const std::uint16_t* rows[kCodeRows];
  CodeRows(const std::vector<std::uint16_t>& matrix, std::int64_t stride, std::int64_t first = 0) {
    for (std::int64_t r = 0; r < kCodeRows; ++r) rows[r] = matrix.data() + (first + r) * stride;
  }
};

TEST(CodeLoops, read_every_code_as_it_is_decoded) {
  const std::vector<std::uint16_t> codes = some_codes(kLast - kFirst + 1);
  const float one_row[kCodeRows] = {kCodeUnit, 0, 0, 0};
  for (const InstructionSet set : available_sets()) {
    for (const std::size_t skipped : {0, 1}) {  // the last ones are read one by one, or in vectors
      const std::int64_t n = std::ssize(codes) - static_cast<std::int64_t>(skipped);
      const CodeRows same(codes, 0);
      const std::uint16_t* from[] = {same.rows[0] + skipped, same.rows[1], same.rows[2],
                                     same.rows[3]};
      std::vector<float> sums(codes.size(), 0.f), b(codes.size(), 0.f);
      double dots[kCodeRows];
      vector_kernels<float>(set).dot_and_add_codes(same.rows, 0, b.data(), dots, from, one_row,
                                                   sums.data(), n);
      for (std::size_t j = 0; j + skipped < codes.size(); ++j) {
        ASSERT_EQ(sums[j], decode(codes[j + skipped]))
            << name_of(set) << ", " << codes[j + skipped];
      }
    }
  }
}

TEST(CodeLoops, encode_as_one_by_one) {
  std::vector<float> values = {0.f,
                               -0.f,
                               -1.f,
                               2.f,
                               1e-44f,
                               std::numeric_limits<float>::infinity(),
                               std::numeric_limits<float>::quiet_NaN()};
  for (int k = kFirst; k < kLast; ++k) {
    const float low = decode(code(k)), middle = low + (decode(code(k + 1)) - low) / 2;
    values.insert(values.end(),
                  {low, std::nextafter(middle, low), middle, std::nextafter(middle, 2 * low)});
  }
  std::vector<std::uint16_t> codes(values.size() + 1);
  for (const InstructionSet set : available_sets()) {
    for (const float scale : {1.f, .5f}) {
      codes.back() = 7;
      vector_kernels<float>(set).encode(values.data(), scale, std::ssize(values), codes.data());
      for (std::size_t j = 0; j < values.size(); ++j) {
        ASSERT_EQ(codes[j], encode(scale * values[j])) << name_of(set) << ", " << values[j];
      }
      EXPECT_EQ(codes.back(), 7);
    }
  }
}

constexpr std::int64_t kLengths[] = {0,  1,  2,  3,  4,  5,  7,   8,   9,   15,  16,   17,
                                     31, 32, 33, 63, 64, 65, 511, 512, 513, 527, 1030, 4099};

TEST(CodeLoops, sum_products_of_rows_and_scaled_rows) {
  for (const InstructionSet set : available_sets()) {
    for (const std::int64_t n : kLengths) {
      SCOPED_TRACE(testing::Message() << name_of(set) << ", n " << n);
      const std::vector<double> uniform_b = uniform(n, .5, 1, 7);
      std::vector<float> b(uniform_b.begin(), uniform_b.end());
      for (float& value : b) value *= kCodeUnit;
      const std::int64_t stride = n + 3;
      const std::vector<std::uint16_t> matrix = some_codes(2 * kCodeRows * stride, 5);
      const CodeRows of(matrix, stride), before(matrix, stride, kCodeRows);
      const float scales[kCodeRows] = {kCodeUnit, kCodeUnit / 3, 0, kCodeUnit / 7};
      double dots[kCodeRows];
      std::vector<float> sums(b.size() + 1, 1.f);  // added to
      vector_kernels<float>(set).dot_and_add_codes(of.rows, stride, b.data(), dots, before.rows,
                                                   scales, sums.data(), n);
      for (std::size_t r = 0; r < kCodeRows; ++r) {
        double expected = 0;
        for (std::size_t j = 0; j < b.size(); ++j) {
          expected +=
              static_cast<double>(decode(of.rows[r][j])) * static_cast<double>(b[j] / kCodeUnit);
        }
        ASSERT_NEAR(dots[r], expected, tol<float>(8) * expected) << r;
      }
      for (std::size_t j = 0; j < b.size(); ++j) {
        double expected = 1;
        for (std::size_t r = 0; r < kCodeRows; ++r) {
          expected += static_cast<double>(decode(before.rows[r][j])) *
                      static_cast<double>(scales[r] / kCodeUnit);
        }
        ASSERT_NEAR(sums[j], expected, tol<float>(1) * expected) << j;
      }
      EXPECT_EQ(sums.back(), 1);
    }
  }
}

TEST(CodeLoops, are_of_float_alone) {
  EXPECT_EQ(vector_kernels<double>().encode, nullptr);
  EXPECT_EQ(vector_kernels<double>().dot_and_add_codes, nullptr);
}

}  // namespace
}  // namespace kantor::kernels::test
