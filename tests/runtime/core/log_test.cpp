#include "runtime/core/log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>
#include <vector>

#include "runtime/core/error.hpp"
#include "tests/support/captured_stderr.hpp"
#include "tests/support/temporary_directory.hpp"
#include "tests/support/thrown.hpp"

namespace kantor {
namespace {

using test::CapturedStderr;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;

std::string content(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

/// What a log of these options leaves on the terminal and in log.txt after one message of each
/// kind.
struct Traces {
  std::string terminal;
  std::string file;
};
Traces traces_of(const Log::Options& options) {
  const test::TemporaryDirectory folder;
  const CapturedStderr captured;
  Log log(options);
  log.open_file(folder.file("log.txt"));
  log.info("an info");
  log.warn("a warning");
  log.detail("a detail");
  return {captured.text(), content(folder.file("log.txt"))};
}

TEST(Log, writes_plain_lines_to_the_terminal) {
  EXPECT_EQ(traces_of({}).terminal, "an info\nwarning: a warning\n");
}

TEST(Log, keeps_info_off_the_terminal_when_quiet) {
  const Traces traces = traces_of({.rank = 0, .quiet = true});
  EXPECT_EQ(traces.terminal, "warning: a warning\n");
  EXPECT_THAT(traces.file, HasSubstr("an info"));
}

TEST(Log, lets_other_ranks_warn_with_their_number_and_nothing_else) {
  const Traces traces = traces_of({.rank = 3, .quiet = false});
  EXPECT_EQ(traces.terminal, "[rank 3] warning: a warning\n");
  EXPECT_EQ(traces.file, "");
}

TEST(Log, writes_everything_to_the_file_with_time_stamps) {
  const std::string stamp = "[0-9]+-[0-9]+-[0-9]+ [0-9]+:[0-9]+:[0-9]+.[0-9]+";
  EXPECT_THAT(traces_of({}).file,
              MatchesRegex(stamp + " info: an info\n" + stamp + " warning: a warning\n" + stamp +
                           " debug: a detail\n"));
}

TEST(Log, works_without_a_file) {
  const CapturedStderr captured;
  Log log({});
  log.detail("nowhere");
  log.info("here");
  EXPECT_EQ(captured.text(), "here\n");
}

TEST(Log, takes_braces_and_percent_signs_as_they_are) {
  const CapturedStderr captured;
  Log log({});
  log.info("{} {0} %v %s {");
  EXPECT_EQ(captured.text(), "{} {0} %v %s {\n");
}

TEST(Log, appends_to_an_earlier_file) {
  const test::TemporaryDirectory folder;
  const CapturedStderr captured;
  for (const char* message : {"first", "second"}) {
    Log log({});
    log.open_file(folder.file("log.txt"));
    log.info(message);
  }
  EXPECT_THAT(content(folder.file("log.txt")), MatchesRegex(".*first\n.*second\n"));
}

TEST(Log, throws_when_the_file_cannot_be_opened) {
  const test::TemporaryDirectory folder;
  Log log({});
  const auto message = test::message_of<IoError>([&] { log.open_file(folder.path().string()); });
  EXPECT_THAT(message, HasSubstr(folder.path().string()));
  EXPECT_EQ(std::count(message.begin(), message.end(), '\n'), 0);
}

TEST(Log, says_once_that_the_file_cannot_be_written) {
  if (!std::filesystem::exists("/dev/full")) FAIL() << "this test needs /dev/full";
  const CapturedStderr captured;
  Log log({});
  log.open_file("/dev/full");
  log.detail("one");
  log.detail("two");
  const std::string text = captured.text();
  EXPECT_THAT(text, HasSubstr("warning: cannot write /dev/full"));
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1) << text;
}

TEST(Log, keeps_lines_whole_when_threads_write_together) {
  constexpr int kThreads = 4;
  constexpr int kLines = 50;
  const test::TemporaryDirectory folder;
  const CapturedStderr captured;
  Log log({});
  log.open_file(folder.file("log.txt"));
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kLines; ++i) log.info("0123456789");
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::string expected;
  for (int i = 0; i < kThreads * kLines; ++i) expected += "0123456789\n";
  EXPECT_EQ(captured.text(), expected);
}

TEST(Log, does_not_wait_for_somebody_to_read_a_pipe) {
  const test::TemporaryDirectory folder;
  ASSERT_EQ(mkfifo(folder.file("log.txt").c_str(), 0600), 0);
  Log log({});
  EXPECT_THAT(test::message_of<IoError>([&] { log.open_file(folder.file("log.txt")); }),
              HasSubstr("a pipe"));
}

}  // namespace
}  // namespace kantor
