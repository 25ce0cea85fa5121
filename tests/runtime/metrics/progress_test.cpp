#include "runtime/metrics/progress.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <vector>

#include "tests/support/captured_stderr.hpp"

namespace kantor::metrics {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

/// A screen and a clock in the test's hands.
struct Screen {
  std::vector<std::string> written;
  bool is_terminal = false;
  int num_columns = 200;
  double now_s = 1000;

  Progress::Output output() {
    return {[this](const std::string& text) { written.push_back(text); }, is_terminal,
            [this] { return num_columns; }, [this] { return now_s; }};
  }
};

TEST(PlainProgress, writes_its_first_line_after_a_second_and_then_by_the_interval) {
  Screen screen;
  Progress progress({.label = "train", .total = 1000, .plain_interval_s = 15}, screen.output());
  for (int step = 1; step <= 400; ++step) {  // 40 s, ten steps a second
    screen.now_s = 1000 + 0.1 * step;
    progress.update(step, "loss", 0.5);
  }
  ASSERT_THAT(screen.written, SizeIs(3));  // after about 1, 16 and 31 s
  EXPECT_THAT(screen.written[0], StartsWith("train    10/1000"));
  EXPECT_THAT(screen.written[1], StartsWith("train   160/1000"));
  EXPECT_THAT(screen.written[1], HasSubstr("loss 0.5  10.0 steps/s  ETA 1 min 24 s"));
  for (const std::string& line : screen.written) {
    EXPECT_THAT(line, EndsWith("B\n"));
    EXPECT_THAT(line, Not(HasSubstr("\r")));
    EXPECT_THAT(line, Not(HasSubstr("\033")));
  }
}

TEST(PlainProgress, always_writes_one_line_at_the_end) {
  Screen screen;
  Progress progress({.total = 10}, screen.output());
  for (int step = 1; step <= 10; ++step) progress.update(step, "loss", step);
  EXPECT_THAT(screen.written, IsEmpty());
  screen.now_s += 0.5;
  progress.finish();
  ASSERT_THAT(screen.written, SizeIs(1));
  EXPECT_THAT(screen.written[0], HasSubstr("10/10  100%  loss 10"));
  EXPECT_THAT(screen.written[0], HasSubstr("in 500 ms"));
}

TEST(PlainProgress, finishes_once_and_only_what_was_begun) {
  Screen screen;
  {
    Progress progress({.total = 10}, screen.output());
    progress.finish();
    EXPECT_THAT(screen.written, IsEmpty());
    progress.update(1, "loss", 1);
    progress.finish();
    progress.finish();
  }
  EXPECT_THAT(screen.written, SizeIs(1));
}

TEST(PlainProgress, counts_the_speed_of_a_resumed_run_from_where_it_began) {
  Screen screen;
  Progress progress({.total = 10'000}, screen.output());
  progress.update(5001, "loss", 1);
  screen.now_s += 2;
  progress.update(5021, "loss", 1);
  ASSERT_THAT(screen.written, SizeIs(1));
  EXPECT_THAT(screen.written[0], HasSubstr("10.0 steps/s"));
}

TEST(LiveProgress, redraws_one_line_at_most_five_times_a_second) {
  Screen screen;
  screen.is_terminal = true;
  Progress progress({.total = 1000}, screen.output());
  for (int step = 1; step <= 1000; ++step) {  // 1 s
    screen.now_s = 1000 + 0.001 * step;
    progress.update(step, "loss", 0.5);
  }
  EXPECT_GE(screen.written.size(), 4u);
  EXPECT_LE(screen.written.size(), 6u);
  for (const std::string& drawn : screen.written) {
    EXPECT_THAT(drawn, StartsWith("\r\033[K"));
    EXPECT_THAT(drawn, Not(HasSubstr("\n")));
  }
  progress.finish();
  EXPECT_THAT(screen.written[screen.written.size() - 2], HasSubstr("1000/1000  100%"));
  EXPECT_EQ(screen.written.back(), "\n");
}

TEST(LiveProgress, cuts_the_line_to_the_terminal) {
  Screen screen;
  screen.is_terminal = true;
  for (const int columns : {20, 1, 0}) {
    screen.num_columns = columns;
    Progress progress({.total = 10}, screen.output());
    progress.update(1, "loss", 1);
    const std::string drawn = screen.written.back().substr(std::string("\r\033[K").size());
    EXPECT_EQ(drawn.size(), static_cast<std::size_t>(std::max(1, columns - 1)));
  }
}

TEST(LiveProgress, ends_its_line_when_it_is_abandoned) {
  Screen screen;
  screen.is_terminal = true;
  { Progress never_updated({}, screen.output()); }
  EXPECT_THAT(screen.written, IsEmpty());
  {
    Progress progress({.total = 10}, screen.output());
    progress.update(1, "loss", 1);
  }
  EXPECT_EQ(screen.written.back(), "\n");
}

TEST(LiveProgress, survives_an_output_that_fails_at_its_end) {
  Screen screen;
  screen.is_terminal = true;
  Progress::Output output = screen.output();
  output.write = [count = 0](const std::string&) mutable {
    if (++count > 1) throw std::runtime_error("closed");
  };
  EXPECT_NO_THROW({
    Progress progress({.total = 10}, output);
    progress.update(1, "loss", 1);
  });
}

TEST(Progress, is_silent_when_disabled) {
  Screen screen;
  screen.is_terminal = true;
  const test::CapturedStderr captured;
  {
    Progress drawn_nowhere({.enabled = false}, screen.output());
    Progress silent({.enabled = false});
    for (Progress* progress : {&drawn_nowhere, &silent}) {
      progress->update(1, "loss", 1);
      progress->finish();
    }
  }
  EXPECT_THAT(screen.written, IsEmpty());
  EXPECT_EQ(captured.text(), "");
}

TEST(Progress, writes_plain_lines_to_stderr_when_that_is_no_terminal) {
  const test::CapturedStderr captured;
  Progress progress({.label = "sinkhorn", .total = 3});
  progress.update(3, "marginal error", 0.25);
  progress.finish();
  EXPECT_THAT(captured.text(), StartsWith("sinkhorn  3/3  100%  marginal error 0.25  "));
  EXPECT_THAT(captured.text(), EndsWith("B\n"));
}

}  // namespace
}  // namespace kantor::metrics
