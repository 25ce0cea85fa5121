#include "runtime/metrics/progress_line.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace kantor::metrics {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

ProgressState state() {
  return {.label = "train",
          .step = 1200,
          .total = 2000,
          .quantity = "loss",
          .value = -0.125,
          .steps_per_second = 400,
          .elapsed_s = 3,
          .memory_bytes = 512'000'000};
}

TEST(FormatProgress, shows_step_share_quantity_rate_time_to_go_and_memory) {
  EXPECT_EQ(format_progress(state()),
            "train  1200/2000   60%  loss -0.125  400 steps/s  ETA 2 s  512.0 MB");
}

TEST(FormatProgress, keeps_its_width_while_steps_grow) {
  ProgressState early = state();
  early.step = 7;
  EXPECT_THAT(format_progress(early), HasSubstr("train     7/2000    0%"));
}

TEST(FormatProgress, shows_the_time_taken_at_the_end) {
  ProgressState last = state();
  last.step = 2000;
  last.is_final = true;
  EXPECT_EQ(format_progress(last),
            "train  2000/2000  100%  loss -0.125  400 steps/s  in 3.0 s  512.0 MB");
}

TEST(FormatProgress, guesses_whole_seconds_and_at_least_one) {
  ProgressState late = state();
  late.step = 1999;
  EXPECT_THAT(format_progress(late), HasSubstr("ETA 1 s"));
  late.step = 1;
  late.steps_per_second = 10;
  EXPECT_THAT(format_progress(late), HasSubstr("ETA 3 min 20 s"));
}

TEST(FormatProgress, shows_no_time_to_go_when_it_ends_early) {
  ProgressState last = state();
  last.is_final = true;
  EXPECT_THAT(format_progress(last), Not(HasSubstr("ETA")));
}

TEST(FormatProgress, says_neither_share_nor_time_to_go_of_an_unknown_total) {
  ProgressState open = state();
  open.total = 0;
  EXPECT_EQ(format_progress(open), "train  step 1200  loss -0.125  400 steps/s  512.0 MB");
}

TEST(FormatProgress, says_no_rate_before_it_knows_one) {
  ProgressState first = state();
  first.steps_per_second = 0;
  EXPECT_EQ(format_progress(first), "train  1200/2000   60%  loss -0.125  512.0 MB");
}

TEST(FormatProgress, never_says_100_percent_before_the_end) {
  ProgressState late = state();
  late.step = 999'999;
  late.total = 1'000'000;
  EXPECT_THAT(format_progress(late), HasSubstr(" 99%"));
}

TEST(FormatProgress, turns_slow_rates_round_and_shows_nan) {
  ProgressState slow = state();
  slow.steps_per_second = 0.5;
  slow.value = std::nan("");
  EXPECT_THAT(format_progress(slow), HasSubstr("loss nan  2.0 s/step  ETA 26 min 40 s"));
  slow.steps_per_second = 12.34;
  EXPECT_THAT(format_progress(slow), HasSubstr("12.3 steps/s"));
}

TEST(StepRate, is_unknown_before_two_observations) {
  StepRate rate;
  EXPECT_EQ(rate.steps_per_second(), 0);
  rate.observe(500, 10);
  EXPECT_EQ(rate.steps_per_second(), 0);
  rate.observe(500, 10);  // no time has passed
  EXPECT_EQ(rate.steps_per_second(), 0);
}

TEST(StepRate, is_exact_when_the_speed_is_constant) {
  StepRate rate;
  for (int i = 0; i <= 100; ++i) rate.observe(500 + 8 * i, 0.25 * i);
  EXPECT_DOUBLE_EQ(rate.steps_per_second(), 32);
}

TEST(StepRate, follows_a_change_within_seconds_but_not_at_once) {
  StepRate rate;
  for (int i = 0; i <= 100; ++i) rate.observe(10 * i, i);
  rate.observe(1000 + 100, 101);
  EXPECT_GT(rate.steps_per_second(), 10);
  EXPECT_LT(rate.steps_per_second(), 50);
  for (int i = 2; i <= 60; ++i) rate.observe(1000 + 100 * i, 100 + i);
  // exp(-59/5) = 7.5e-6 of the old speed's weight is left.
  EXPECT_NEAR(rate.steps_per_second(), 100, 0.01);
}

}  // namespace
}  // namespace kantor::metrics
