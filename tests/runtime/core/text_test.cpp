#include "runtime/core/text.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <limits>

#include "runtime/core/shortened.hpp"

namespace kantor {
namespace {

const std::vector<std::string> kVerbs = {"run", "eval", "inspect", "doctor"};

TEST(Nearest, finds_misspelt_words) {
  EXPECT_EQ(nearest("rum", kVerbs), "run");
  EXPECT_EQ(nearest("rnu", kVerbs), "run");
  EXPECT_EQ(nearest("inspct", kVerbs), "inspect");
  EXPECT_EQ(nearest("doctorr", kVerbs), "doctor");
  EXPECT_EQ(nearest("EVAL", kVerbs), "eval");
  EXPECT_EQ(nearest("run", kVerbs), "run");
}

TEST(Nearest, finds_nothing_when_nothing_is_near) {
  EXPECT_EQ(nearest("frobnicate", kVerbs), "");
  EXPECT_EQ(nearest("", kVerbs), "");
  EXPECT_EQ(nearest("run", {}), "");
  EXPECT_EQ(nearest("a", std::vector<std::string>{"b", ""}), "");
}

TEST(Nearest, prefers_the_smaller_distance_then_the_earlier_word) {
  EXPECT_EQ(nearest("epsilom", std::vector<std::string>{"epsilons", "epsilon"}), "epsilon");
  EXPECT_EQ(nearest("abcx", std::vector<std::string>{"abcd", "abce"}), "abcd");
}

TEST(Nearest, counts_a_swap_of_neighbours_as_one_error) {
  EXPECT_EQ(nearest("pnrom", std::vector<std::string>{"pnorm"}), "pnorm");
  EXPECT_EQ(nearest("dto", std::vector<std::string>{"dot"}), "dot");
}

TEST(Join, puts_the_separator_between_words_only) {
  EXPECT_EQ(join(std::vector<std::string>{}), "");
  EXPECT_EQ(join(std::vector<std::string>{"a"}), "a");
  EXPECT_EQ(join(std::vector<std::string>{"a", "b", "c"}), "a, b, c");
  EXPECT_EQ(join(std::vector<std::string>{"a", "b"}, " | "), "a | b");
}

TEST(FormatBytes, picks_the_unit) {
  EXPECT_EQ(format_bytes(0), "0 B");
  EXPECT_EQ(format_bytes(999), "999 B");
  EXPECT_EQ(format_bytes(1000), "1.0 kB");
  EXPECT_EQ(format_bytes(1.5e6), "1.5 MB");
  EXPECT_EQ(format_bytes(999.96e6), "1.0 GB");
  EXPECT_EQ(format_bytes(3.2e15), "3200.0 TB");
  EXPECT_EQ(format_bytes(std::nan("")), "nan B");
}

TEST(FormatSeconds, picks_the_unit_and_carries_over) {
  EXPECT_EQ(format_seconds(0), "0 ms");
  EXPECT_EQ(format_seconds(0.25), "250 ms");
  EXPECT_EQ(format_seconds(0.9996), "1.0 s");
  EXPECT_EQ(format_seconds(9.96), "10 s");
  EXPECT_EQ(format_seconds(59.4), "59 s");
  EXPECT_EQ(format_seconds(59.6), "1 min 00 s");
  EXPECT_EQ(format_seconds(125), "2 min 05 s");
  EXPECT_EQ(format_seconds(3599.7), "1 h 00 min");
  EXPECT_EQ(format_seconds(7500), "2 h 05 min");
  EXPECT_EQ(format_seconds(-5), "-5.0 s");
  EXPECT_EQ(format_seconds(std::numeric_limits<double>::infinity()), "inf s");
}

TEST(FormatNumber, reads_back_as_the_same_double) {
  for (const double value : {0.0, 0.1, 1.0 / 3, 1e300, 5e-324, -2.5, 123456789.123}) {
    EXPECT_EQ(std::strtod(format_number(value).c_str(), nullptr), value);
  }
  EXPECT_EQ(format_number(0.1), "0.1");
  EXPECT_EQ(format_number(1), "1");
}

TEST(FormatNumber, names_what_is_not_finite) {
  EXPECT_EQ(format_number(std::nan("")), "nan");
  EXPECT_EQ(format_number(-std::nan("")), "nan");
  EXPECT_EQ(format_number(HUGE_VAL), "inf");
  EXPECT_EQ(format_number(-HUGE_VAL), "-inf");
}

TEST(IsUtf8, accepts_every_length) {
  EXPECT_TRUE(is_utf8(""));
  EXPECT_TRUE(is_utf8("abc\n\x7f"));
  EXPECT_TRUE(is_utf8("é€😀"));
  EXPECT_TRUE(is_utf8("\xf4\x8f\xbf\xbf"));  // U+10FFFF, the last one
}

TEST(IsUtf8, refuses_damaged_overlong_and_surrogate_forms) {
  EXPECT_FALSE(is_utf8("\xff"));
  EXPECT_FALSE(is_utf8("\x80"));
  EXPECT_FALSE(is_utf8("caf\xe9"));
  EXPECT_FALSE(is_utf8("\xe2\x82"));
  EXPECT_FALSE(is_utf8("\xc3z"));
  EXPECT_FALSE(is_utf8("\xc0\xaf"));
  EXPECT_FALSE(is_utf8("\xe0\x80\xaf"));
  EXPECT_FALSE(is_utf8("\xed\xa0\x80"));
  EXPECT_FALSE(is_utf8("\xf4\x90\x80\x80"));
}

TEST(Shortened, keeps_beginning_and_end_of_a_long_text) {
  EXPECT_EQ(shortened("short", 5), "short");
  EXPECT_EQ(shortened("0123456789", 6), "012 .. 789");
  EXPECT_EQ(shortened("", 6), "");
}

TEST(Shortened, does_not_split_a_letter) {
  for (std::size_t most = 0; most < 12; ++most) {
    EXPECT_TRUE(is_utf8(shortened("\u00e9\u20ac\U0001F600\u00e9\u20ac\U0001F600", most))) << most;
  }
}

}  // namespace
}  // namespace kantor
