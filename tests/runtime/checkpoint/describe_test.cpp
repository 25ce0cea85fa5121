#include "runtime/checkpoint/describe.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/runtime/checkpoint/samples.hpp"
#include "tests/support/temporary_directory.hpp"

namespace kantor::checkpoint {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;

TEST(Describe, says_what_a_valid_checkpoint_holds) {
  const test::TemporaryDirectory folder;
  const std::string path = folder.file("step-00001000.kantor");
  write_checkpoint(path, test::sample_snapshot(1000));
  const auto lines = describe(path);
  EXPECT_EQ(lines.at(0), "checkpoint " + path + ": valid");
  EXPECT_THAT(lines, Contains(AllOf(HasSubstr("file"), HasSubstr("kB, format 1"))));
  EXPECT_THAT(lines, Contains(AllOf(HasSubstr("step"), HasSubstr("1000, 512000 samples seen"))));
  EXPECT_THAT(lines, Contains(HasSubstr("2026-03-01 12:00:00 UTC")));
  EXPECT_THAT(lines, Contains(HasSubstr("4 ranks, backend mpi, cpu, float32")));
  EXPECT_THAT(lines, Contains(HasSubstr("hash fedcba9876543210")));
  EXPECT_THAT(lines, Contains(AllOf(HasSubstr("kantor"), HasSubstr("0.1.0"))));
  EXPECT_THAT(lines, Contains(HasSubstr("5 with 310 elements, 1.3 kB")));
  EXPECT_THAT(lines, Contains(AllOf(HasSubstr("moments"), HasSubstr("float64 [2, 3], 48 B"))));
  EXPECT_THAT(lines, Contains(AllOf(HasSubstr("skipped"), HasSubstr("-3"))));
  EXPECT_THAT(lines, Contains(AllOf(HasSubstr("worst"), HasSubstr("-inf"))));
}

TEST(Describe, says_why_a_checkpoint_is_not_valid) {
  const test::TemporaryDirectory folder;
  test::Bytes bytes = encode(test::sample_snapshot(1000));
  bytes.back() ^= std::byte{1};
  test::store_bytes(folder.file("a"), bytes);
  const auto lines = describe(folder.file("a"));
  EXPECT_EQ(lines.at(0), "checkpoint " + folder.file("a") + ": not valid");
  EXPECT_THAT(lines.at(1), HasSubstr("trailer is damaged"));
  EXPECT_THAT(describe(folder.file("absent")).at(1), HasSubstr("No such file"));
}

TEST(Describe, keeps_text_of_the_file_on_its_line) {
  const test::TemporaryDirectory folder;
  Snapshot snapshot = test::sample_snapshot(1000);
  snapshot.metadata.environment = {{"NCCL_DEBUG_FILE", "a\nb\x1b[31m"}};
  write_checkpoint(folder.file("a"), snapshot);
  for (const std::string& line : describe(folder.file("a"))) {
    for (const char c : line) EXPECT_GE(c, ' ') << line;
  }
}

}  // namespace
}  // namespace kantor::checkpoint
