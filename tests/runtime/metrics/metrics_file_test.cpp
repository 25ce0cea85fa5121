#include "runtime/metrics/metrics_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cmath>
#include <csignal>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "runtime/core/error.hpp"
#include "tests/support/captured_stderr.hpp"
#include "tests/support/temporary_directory.hpp"
#include "tests/support/thrown.hpp"

namespace kantor::metrics {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;

/// Writes beyond this size fail in this process, as on a full disk. [bytes]
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    std::signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit lowered{bytes, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &lowered);
  }
  ~FileSizeLimit() { setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_{};
};

class MetricsFileTest : public ::testing::Test {
 protected:
  std::string path() const { return folder_.file("metrics.jsonl"); }
  std::string content() const {
    std::ifstream in(path(), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  }
  void fill(const std::string& text) { std::ofstream(path(), std::ios::binary) << text; }

  test::TemporaryDirectory folder_;
};

TEST_F(MetricsFileTest, writes_one_object_a_line_in_the_given_order) {
  MetricsFile file(path());
  file.write("train", 10, {{"loss", 0.5}, {"gradient_norm", 1e-3}});
  EXPECT_EQ(content(), "{\"phase\":\"train\",\"step\":10,\"loss\":0.5,\"gradient_norm\":0.001}\n");
  file.write("certificate", 11, {});
  EXPECT_THAT(content(), HasSubstr("\n{\"phase\":\"certificate\",\"step\":11}\n"));
}

TEST_F(MetricsFileTest, writes_numbers_that_read_back_exactly) {
  MetricsFile file(path());
  file.write("train", 1, {{"value", 1.0 / 3}});
  EXPECT_EQ(nlohmann::json::parse(content())["value"].get<double>(), 1.0 / 3);
}

TEST_F(MetricsFileTest, writes_what_is_not_finite_as_null) {
  MetricsFile file(path());
  file.write("train", 1, {{"a", std::nan("")}, {"b", HUGE_VAL}, {"c", -HUGE_VAL}});
  const auto line = nlohmann::json::parse(content());
  EXPECT_TRUE(line["a"].is_null() && line["b"].is_null() && line["c"].is_null()) << content();
}

TEST_F(MetricsFileTest, escapes_the_phase_and_repairs_its_encoding) {
  MetricsFile file(path());
  file.write("a\"\n\xff", 1, {});
  EXPECT_EQ(nlohmann::json::parse(content())["phase"], "a\"\n\xef\xbf\xbd");
}

TEST_F(MetricsFileTest, appends_to_the_lines_of_an_earlier_run) {
  MetricsFile(path()).write("train", 1, {});
  MetricsFile(path()).write("train", 2, {});
  EXPECT_EQ(content(), "{\"phase\":\"train\",\"step\":1}\n{\"phase\":\"train\",\"step\":2}\n");
}

TEST_F(MetricsFileTest, cuts_off_a_line_that_a_killed_run_left_unfinished) {
  const std::string written = "{\"phase\":\"train\",\"step\":2}\n";
  for (const std::size_t unfinished_bytes : {0u, 1u, 10u, 4095u, 4096u, 10'000u}) {
    for (const std::string& whole : {std::string(), std::string("{}\n")}) {
      fill(whole + std::string(unfinished_bytes, 'x'));
      MetricsFile(path()).write("train", 2, {});
      EXPECT_EQ(content(), whole + written) << unfinished_bytes;
    }
  }
}

TEST_F(MetricsFileTest, can_be_moved) {
  MetricsFile file;
  file = MetricsFile(path());
  MetricsFile moved = std::move(file);
  moved.write("train", 1, {});
  EXPECT_EQ(content(), "{\"phase\":\"train\",\"step\":1}\n");
}

TEST_F(MetricsFileTest, goes_nowhere_without_a_path) {
  MetricsFile file;
  EXPECT_NO_THROW(file.write("train", 1, {{"loss", 1}}));
}

TEST_F(MetricsFileTest, throws_when_it_cannot_be_opened) {
  for (const std::string& bad : {folder_.path().string(), folder_.file("no/such/folder/m.jsonl")}) {
    EXPECT_THAT(test::message_of<IoError>([&] { MetricsFile file(bad); }), HasSubstr(bad));
  }
}

TEST_F(MetricsFileTest, does_not_wait_for_somebody_to_read_a_pipe) {
  ASSERT_EQ(mkfifo(path().c_str(), 0600), 0);
  EXPECT_THAT(test::message_of<IoError>([&] { MetricsFile file(path()); }), HasSubstr("a pipe"));
}

TEST_F(MetricsFileTest, says_once_that_the_disk_is_full_and_lets_the_run_go_on) {
  const test::CapturedStderr captured;
  MetricsFile file("/dev/full");
  for (int step = 0; step < 3; ++step) file.write("train", step, {});
  EXPECT_THAT(captured.text(),
              MatchesRegex("warning: cannot write /dev/full: No space left[^\n]*\n"));
}

TEST_F(MetricsFileTest, goes_on_with_whole_lines_when_there_is_room_again) {
  const test::CapturedStderr captured;
  MetricsFile file(path());
  file.write("train", 1, {});
  {
    const FileSizeLimit limit(40);  // within the second line
    file.write("train", 2, {});
    file.write("train", 3, {});
  }
  file.write("train", 4, {});
  EXPECT_EQ(content(),
            "{\"phase\":\"train\",\"step\":1}\n"
            "{\"phase\":\"train\",\"step\":4}\n");
}

}  // namespace
}  // namespace kantor::metrics
