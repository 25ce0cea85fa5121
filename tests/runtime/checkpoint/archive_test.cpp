#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/checkpoint/checkpoint_file.hpp"
#include "runtime/core/error.hpp"
#include "runtime/random/philox.hpp"
#include "tests/runtime/checkpoint/allocations.hpp"
#include "tests/runtime/checkpoint/samples.hpp"
#include "tests/support/thrown.hpp"

// Metadata that somebody made up: every checksum is right, so only the archive's own checks help.

namespace kantor::checkpoint {
namespace {

using test::sample_snapshot;
using testing::HasSubstr;

std::string replaced(std::string text, const std::string& what, const std::string& by) {
  const auto at = text.find(what);
  EXPECT_NE(at, std::string::npos) << what;
  return at == std::string::npos ? text : text.replace(at, what.size(), by);
}

std::string refusal(const std::string& metadata) {
  const auto file = test::file_with_metadata(metadata, sample_snapshot(1000));
  const test::AllocationPeak peak;
  const std::string message = test::message_of<DataError>([&] { decode(file); });
  EXPECT_LE(peak.bytes(), 2 * file.size() + 64'000) << message;
  return message;
}

TEST(Archive, that_is_as_written_is_accepted) {
  const Snapshot snapshot = sample_snapshot(1000);
  test::expect_same(decode(test::file_with_metadata(archive_of(snapshot), snapshot)), snapshot);
}

TEST(Archive, with_lengths_that_lie_is_refused_in_bounded_memory) {
  const std::string text = archive_of(sample_snapshot(1000));
  for (const char* length : {"4000000000", "18446744073709551615", "9223372036854775807", "-1",
                             "-9223372036854775808", "99999999999999999999999", "x", "", "0"}) {
    const std::string it = length;
    EXPECT_NE(refusal(replaced(text, "22 serialization", it + " serialization")), "") << it;
    EXPECT_NE(refusal(replaced(text, " 3 mpi", " " + it + " mpi")), "") << it;
    EXPECT_NE(refusal(replaced(text, " 4 best", " " + it + " best")), "") << it;
    EXPECT_NE(refusal(replaced(text, " 5 4 best", " " + it + " 4 best")), "") << it;
    EXPECT_NE(refusal(replaced(text, " 2 1 1844", " " + it + " 1844")), "") << it;
    EXPECT_NE(refusal(replaced(text, " 5 10 parameters", " " + it + " 10 parameters")), "") << it;
    EXPECT_NE(refusal(replaced(text, "parameters 1 1 300", "parameters 1 " + it + " 300")), "")
        << it;
  }
}

TEST(Archive, with_sizes_that_do_not_fit_the_tensors_is_refused) {
  const std::string text = archive_of(sample_snapshot(1000));
  for (const char* type : {"1 1 299", "1 1 301", "2 1 300", "1 1 -300", "1 1 4611686018427387904",
                           "0 1 300", "5 1 300", "257 1 300"}) {
    EXPECT_THAT(refusal(replaced(text, "parameters 1 1 300", concat("parameters ", type))),
                HasSubstr("parameters"))
        << type;
  }
}

TEST(Archive, with_values_out_of_range_is_refused) {
  const std::string text = archive_of(sample_snapshot(1000));
  EXPECT_THAT(refusal(replaced(text, " 1000 512000 ", " -5 512000 ")), HasSubstr("step is -5"));
  EXPECT_NE(refusal(replaced(text, " 1000 512000 ", " 9223372036854775808 512000 ")), "");
  EXPECT_NE(refusal(replaced(text, "parameters 1", "parameters 4294967297")), "");
  EXPECT_THAT(refusal(replaced(text, "4 best 3 100", "4 best 3 1,0")), HasSubstr("number"));
  EXPECT_THAT(refusal(replaced(text, "4 best 3 100", "4 best 3 1ex")), HasSubstr("number"));
  EXPECT_THAT(refusal(replaced(text, "7 moments", "10 parameters")),
              HasSubstr("two tensors named 'parameters'"));
  EXPECT_THAT(refusal(replaced(text, "4 best", "4 zero")), HasSubstr("a name twice"));
}

TEST(Archive, of_a_newer_boost_or_kantor_says_so) {
  const std::string text = archive_of(sample_snapshot(1000));
  const std::string head = text.substr(0, text.find(" 1000 512000 "));
  ASSERT_THAT(head, testing::MatchesRegex("22 serialization::archive [0-9]+ 0 1"));
  const std::string rest = text.substr(head.size());
  EXPECT_THAT(refusal("22 serialization::archive 60000 0 1" + rest), HasSubstr("newer Boost"));
  EXPECT_THAT(refusal("22 serialization::archive 17 0 2" + rest), HasSubstr("newer kantor"));
  EXPECT_THAT(refusal("22 serialization::archivX 17 0 1" + rest), HasSubstr("cannot be read"));
}

TEST(Archive, that_is_cut_or_goes_on_is_refused) {
  const std::string text = archive_of(sample_snapshot(1000));
  const std::size_t last = text.find_last_not_of(" \n") + 1;
  for (std::size_t size = 0; size + 1 < last; ++size) refusal(text.substr(0, size));
  EXPECT_THAT(refusal(text + "0"), HasSubstr("go on after their end"));
  EXPECT_THAT(refusal(text + std::string(1, '\0')), HasSubstr("go on after their end"));
}

TEST(Archive, with_too_few_or_too_many_tensors_is_refused) {
  Snapshot fewer = sample_snapshot(1000);
  fewer.tensors.pop_back();
  EXPECT_THAT(refusal(archive_of(fewer)), HasSubstr("name 4 tensors, but it has 5"));
  Snapshot more = sample_snapshot(1000);
  more.tensors.push_back(test::tensor_of<float>("more", {0}, {}));
  EXPECT_THAT(refusal(archive_of(more)), HasSubstr("name 6 tensors, but it has 5"));
}

/// A text with a few random letters changed, removed, doubled, or numbers put in.
std::string mutated(std::string text, std::uint32_t round) {
  static constexpr const char* kPieces[] = {
      "-1", "18446744073709551615", " ",   "0",    "1e308", "9999999999",
      "\n", "2147483648",           "nan", "65536"};
  const random::Stream stream(1, random::Purpose::test, round);
  std::uint64_t draw = 0;
  const auto below = [&](std::size_t n) {
    return static_cast<std::size_t>(stream.bits(draw++)) % n;
  };
  const std::size_t num_changes = 1 + below(3);
  for (std::size_t i = 0; i < num_changes && !text.empty(); ++i) {
    const std::size_t at = below(text.size());
    switch (below(5)) {
      case 0:
        text[at] = static_cast<char>(below(256));
        break;
      case 1:
        text[at] = static_cast<char>('0' + below(10));
        break;
      case 2:
        text.erase(at, 1 + below(8));
        break;
      case 3:
        text.insert(at, kPieces[below(std::size(kPieces))]);
        break;
      default:
        text.insert(at, text.substr(below(text.size()), below(16)));
    }
  }
  return text;
}

TEST(Archive, of_random_changes_is_accepted_or_refused_in_bounded_memory) {
  constexpr std::uint32_t kNumRounds = 5000;
  const Snapshot snapshot = sample_snapshot(1000);
  const std::string text = archive_of(snapshot);
  std::uint32_t num_refused = 0;
  for (std::uint32_t round = 0; round < kNumRounds; ++round) {
    const auto file = test::file_with_metadata(mutated(text, round), snapshot);
    const test::AllocationPeak peak;
    try {
      decode(file);
    } catch (const DataError&) {
      ++num_refused;
    }
    ASSERT_LE(peak.bytes(), 2 * file.size() + 64'000) << "round " << round;
  }
  EXPECT_GT(num_refused, kNumRounds / 2);
}

}  // namespace
}  // namespace kantor::checkpoint
