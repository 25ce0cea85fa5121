#include "solvers/progot/progot_config.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "runtime/core/error.hpp"
#include "tests/runtime/config/config_text.hpp"
#include "tests/support/thrown.hpp"

namespace kantor::test {
namespace {

using progot::ProgotConfig;

ProgotConfig read(const std::string& text) {
  config::Value resolved{config::Table{}, "", ""};
  return config::read<ProgotConfig>(parsed("[progot]\n" + text), "progot", resolved);
}

void expect_refused(const std::string& text, const std::vector<std::string>& words) {
  const std::string message = message_of<ConfigError>([&] { read(text); });
  for (const std::string& word : words) {
    EXPECT_NE(message.find(word), std::string::npos) << text << ": " << message;
  }
}

void expect_near(const std::vector<double>& actual, const std::vector<double>& expected) {
  ASSERT_EQ(actual.size(), expected.size());
  for (std::size_t i = 0; i < actual.size(); ++i) EXPECT_NEAR(actual[i], expected[i], 1e-15);
}

std::vector<double> lengths(const std::string& schedule, std::int64_t steps) {
  ProgotConfig config;
  config.schedule = schedule;
  config.steps = steps;
  return progot::step_lengths(config);
}

TEST(ProgotConfig, has_the_published_step_lengths) {
  expect_near(lengths("constant_speed", 4), {1. / 4, 1. / 3, 1. / 2, 1});
  expect_near(lengths("accelerating", 4), {1. / 16, 1. / 5, 5. / 12, 1});
  expect_near(lengths("decelerating", 3), {std::exp(-1), std::exp(-1), 1});
  for (const char* schedule : {"constant_speed", "accelerating", "decelerating"}) {
    expect_near(lengths(schedule, 1), {1});
  }
}

/// t_k = 1 - prod (1 - alpha): k / K, (k / K)^2, 1 - (1 - 1/e)^k.
TEST(ProgotConfig, is_as_far_as_its_schedule_says) {
  for (const std::int64_t steps : {2, 5, 16}) {
    const std::vector<double> constant = lengths("constant_speed", steps);
    const std::vector<double> accelerating = lengths("accelerating", steps);
    const std::vector<double> decelerating = lengths("decelerating", steps);
    double left[] = {1, 1, 1};
    for (std::int64_t k = 1; k <= steps; ++k) {
      const auto at = static_cast<std::size_t>(k - 1);
      const double part = static_cast<double>(k) / static_cast<double>(steps);
      left[0] *= 1 - constant[at];
      left[1] *= 1 - accelerating[at];
      left[2] *= 1 - decelerating[at];
      EXPECT_NEAR(1 - left[0], part, 1e-14);
      EXPECT_NEAR(1 - left[1], part * part, 1e-14);
      const double slow = 1 - std::pow(1 - std::exp(-1), static_cast<double>(k));
      EXPECT_NEAR(1 - left[2], k == steps ? 1 : slow, 1e-14);
    }
  }
}

TEST(ProgotConfig, has_tolerances_that_fall_linearly) {
  ProgotConfig config;
  expect_near(progot::step_tolerances(config, .001), {.1, .067, .034, .001});
  config.steps = 1;
  expect_near(progot::step_tolerances(config, .001), {.001});
  config.steps = 2;
  expect_near(progot::step_tolerances(config, .5), {.5, .5});  // never below the last one
}

TEST(ProgotConfig, interpolates_epsilons_along_the_way) {
  expect_near(progot::interpolated_epsilons({.25, 1. / 3, .5, 1}, 8, 4), {7, 6, 5, 4});
  expect_near(progot::interpolated_epsilons({1}, 8, 4), {4});
}

TEST(ProgotConfig, counts_its_solves_by_the_list_that_is_given) {
  EXPECT_EQ(read("").steps, 4);
  EXPECT_EQ(read("alphas = [0.5, 1]").steps, 2);
  EXPECT_EQ(progot::step_lengths(read("alphas = [0.5, 1]")), (std::vector<double>{.5, 1}));
  EXPECT_EQ(read("steps = 2\nepsilons = [0.5, 0.25]").epsilons, (std::vector<double>{.5, .25}));
  const ProgotConfig tuned =
      read("epsilon_schedule = \"tuned\"\ntuning = { start = 2, scales = [1, 2], points = 100 }");
  EXPECT_EQ(tuned.tuning.scales, (std::vector<double>{1, 2}));
  EXPECT_EQ(tuned.tuning.points, 100);
}

TEST(ProgotConfig, refuses_lists_of_other_lengths) {
  expect_refused("steps = 3\nalphas = [0.5, 1]", {"alphas", "2", "3"});
  expect_refused("epsilons = [0.5, 0.25]", {"epsilons", "2", "4"});
  expect_refused("alphas = [0.5, 1]\nepsilons = [1, 2, 3]", {"epsilons", "3", "2"});
}

TEST(ProgotConfig, refuses_steps_that_lead_nowhere) {
  expect_refused("alphas = [0.5, 0.9]", {"alphas", "0.9", "1"});
  expect_refused("alphas = [0, 1]", {"alphas", "0"});
  expect_refused("alphas = [-0.5, 1]", {"-0.5"});
  expect_refused("alphas = [1.5, 1]", {"1.5"});
  expect_refused("alphas = [nan, 1]", {"alphas"});
  expect_refused("steps = 0", {"steps", "0"});
  expect_refused("steps = -2", {"steps", "-2"});
  expect_refused("schedule = \"constant\"", {"constant_speed"});
}

TEST(ProgotConfig, refuses_values_that_are_no_epsilons_or_tolerances) {
  expect_refused("alphas = [1]\nepsilons = [0]", {"epsilons", "0"});
  expect_refused("alphas = [1]\nepsilons = [-1]", {"-1"});
  expect_refused("first_tolerance = -0.1", {"first_tolerance", "-0.1"});
  expect_refused("epsilon_schedule = \"tuned\"\nalphas = [1]\nepsilons = [1]",
                 {"epsilons", "tuned"});
  expect_refused("tuning = { scales = [] }", {"scales"});
  expect_refused("tuning = { scales = [1, 0] }", {"scales", "0"});
  expect_refused("tuning = { start = 0 }", {"start"});
  expect_refused("tuning = { points = 1 }", {"points", "1"});
  expect_refused("tuning = { begin = 1 }", {"begin"});
  expect_refused("debiassed = true", {"debiased"});
}

TEST(ProgotConfig, refuses_a_schedule_beside_alphas) {
  expect_refused("alphas = [0.5, 1]\nschedule = \"accelerating\"\n",
                 {"solver.progot.alphas", "solver.progot.schedule", "accelerating", "keep one"});
  EXPECT_EQ(read("alphas = [0.5, 1]\nschedule = \"constant_speed\"\n").steps, 2);  // the default
}

}  // namespace
}  // namespace kantor::test
