#include "launch/output_directory.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "launch/run_directory.hpp"
#include "runtime/core/error.hpp"
#include "tests/support/temporary_directory.hpp"

namespace kantor::launch {
namespace {

namespace fs = std::filesystem;
using test::TemporaryDirectory;

void touch(const std::string& path) { std::ofstream(path) << "mine\n"; }

TEST(OutputDirectory, is_created_with_its_parents) {
  const TemporaryDirectory folder;
  check_output_directory(folder.file("a/b/c/"));
  EXPECT_FALSE(fs::exists(folder.file("a")));  // looking changes nothing
  create_output_directory(folder.file("a/b/c/"));
  EXPECT_TRUE(fs::is_directory(folder.file("a/b/c")));
}

TEST(OutputDirectory, may_exist_when_it_is_empty) {
  const TemporaryDirectory folder;
  check_output_directory(folder.path().string());
  create_output_directory(folder.path().string());
}

TEST(OutputDirectory, is_refused_when_it_holds_something) {
  const TemporaryDirectory folder;
  touch(folder.file("note"));
  EXPECT_THROW(check_output_directory(folder.path().string()), ConfigError);
  EXPECT_THROW(create_output_directory(folder.path().string()), ConfigError);
}

TEST(OutputDirectory, is_refused_when_it_is_a_file) {
  const TemporaryDirectory folder;
  touch(folder.file("note"));
  EXPECT_THROW(check_output_directory(folder.file("note")), ConfigError);
  EXPECT_THROW(create_output_directory(folder.file("note")), ConfigError);
}

TEST(OutputDirectory, is_an_io_error_when_it_cannot_be_created) {
  const TemporaryDirectory folder;
  touch(folder.file("note"));
  EXPECT_THROW(check_output_directory(folder.file("note/below/it")), IoError);
  EXPECT_THROW(create_output_directory(folder.file("note/below/it")), IoError);
  EXPECT_THROW(create_output_directory("/proc/kantor-test"), IoError);
}

TEST(OutputDirectory, is_an_io_error_when_the_parent_is_read_only) {
  if (geteuid() == 0) return;  // permission bits do not bind root; the cases above do
  const TemporaryDirectory folder;
  fs::permissions(folder.path(), fs::perms::owner_read | fs::perms::owner_exec);
  EXPECT_THROW(check_output_directory(folder.file("new")), IoError);
  EXPECT_THROW(create_output_directory(folder.file("new")), IoError);
  fs::permissions(folder.path(), fs::perms::owner_all);
}

TEST(RunDirectory, is_claimed_by_one_run_when_two_start_at_once) {
  const TemporaryDirectory folder;
  const RunDirectory first(folder.file("run"));
  EXPECT_THROW(RunDirectory second(folder.file("run")), ConfigError);
}

TEST(RunDirectory, tells_its_state_and_the_reason_of_a_failure) {
  const TemporaryDirectory folder;
  RunDirectory directory(folder.file("run"));
  directory.set_failed("loss is NaN \"at\" step 3");
  std::ifstream stream(directory.file("STATUS"));
  const std::string text{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  const Status status = parse_status(text);
  EXPECT_EQ(status.state, "failed");
  EXPECT_EQ(status.reason, "loss is NaN \"at\" step 3");
}

TEST(RunDirectory, tells_its_state_where_no_other_file_can_be_written) {
  const TemporaryDirectory folder;
  RunDirectory directory(folder.file("run"));
  directory.set_status({.state = "running", .reason = std::string(200, 'x'), .step = 7});
  const std::string aside = concat("STATUS.tmp.", getpid());  // a folder cannot be written over
  fs::create_directory(directory.file(aside));
  for (const std::string reason : {"disk", "full"}) {
    directory.set_failed(reason);
    const Status status = parse_status(read_text_file(directory.file("STATUS")));
    EXPECT_EQ(status.state, "failed");
    EXPECT_EQ(status.reason, reason);
    EXPECT_EQ(status.step, 7);
  }
}

TEST(RunDirectory, has_unknown_state_when_its_status_is_damaged) {
  EXPECT_EQ(parse_status("").state, "unknown");
  EXPECT_EQ(parse_status("{\"state\": ").state, "unknown");
  EXPECT_EQ(parse_status("[1, 2]").state, "unknown");
  EXPECT_EQ(parse_status("{\"state\": 3}").state, "unknown");
}

}  // namespace
}  // namespace kantor::launch
