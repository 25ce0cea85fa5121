#include "distributed/adam.hpp"

#include <gtest/gtest.h>

#include "tests/distributed/training.hpp"
#include "tests/support/tolerance.hpp"

namespace kantor::test {
namespace {

OptimizerConfig schedule(std::int64_t warmup_steps) {
  OptimizerConfig config;
  config.learning_rate = 0.5;
  config.warmup_steps = warmup_steps;
  config.final_learning_rate = 0.1;
  return config;
}

TEST(LearningRate, rises_in_a_line_to_the_peak) {
  const OptimizerConfig config = schedule(10);
  for (int step = 0; step < 10; ++step) {
    EXPECT_DOUBLE_EQ(learning_rate_at(config, step, 100), 0.5 * (step + 1) / 10) << step;
  }
  EXPECT_EQ(learning_rate_at(config, 9, 100), 0.5);
  EXPECT_EQ(learning_rate_at(config, 10, 100), 0.5);
}

TEST(LearningRate, falls_by_a_cosine_to_the_final_fraction) {
  const OptimizerConfig config = schedule(10);  // 120 steps from the peak
  const auto cosine = [](double value) { return 0.5 * (0.1 + 0.9 * (1 + value) / 2); };
  EXPECT_DOUBLE_EQ(learning_rate_at(config, 10 + 40, 130), cosine(0.5));   // cos 60 degrees
  EXPECT_DOUBLE_EQ(learning_rate_at(config, 10 + 60, 130), cosine(0));     // cos 90
  EXPECT_DOUBLE_EQ(learning_rate_at(config, 10 + 80, 130), cosine(-0.5));  // cos 120
  EXPECT_DOUBLE_EQ(learning_rate_at(config, 130, 130), 0.05);
  for (int step = 11; step < 130; ++step) {
    EXPECT_LT(learning_rate_at(config, step, 130), learning_rate_at(config, step - 1, 130)) << step;
  }
}

TEST(LearningRate, stays_at_the_final_fraction_beyond_the_last_step) {
  EXPECT_DOUBLE_EQ(learning_rate_at(schedule(10), 131, 130), 0.05);
  EXPECT_DOUBLE_EQ(learning_rate_at(schedule(10), 100'000, 130), 0.05);
}

TEST(LearningRate, starts_at_the_peak_without_warm_up) {
  EXPECT_EQ(learning_rate_at(schedule(0), 0, 100), 0.5);
  EXPECT_DOUBLE_EQ(learning_rate_at(schedule(0), 50, 100), 0.5 * 0.55);
}

TEST(LearningRate, reaches_the_peak_in_fewer_steps_than_the_warm_up) {
  const OptimizerConfig config = schedule(100);
  for (int step = 0; step < 4; ++step) {
    EXPECT_DOUBLE_EQ(learning_rate_at(config, step, 4), 0.5 * (step + 1) / 4) << step;
  }
  EXPECT_DOUBLE_EQ(learning_rate_at(schedule(1), 0, 1), 0.5);
  EXPECT_TRUE(std::isfinite(learning_rate_at(schedule(0), 0, 0)));
}

/// Gradient i of step t: 1, 0.1, .. 1e-9, so that the epsilon beside the root matters too, and 0.
template <class T>
at::Tensor gradients_of(int step, std::int64_t size) {
  std::vector<double> result;
  const random::Stream stream(3, random::Purpose::test, static_cast<std::uint32_t>(step));
  for (std::int64_t i = 0; i < size; ++i) {
    const double scale = i % 11 == 10 ? 0 : std::pow(10, -static_cast<double>(i % 11));
    result.push_back(scale * (stream.normal(static_cast<std::uint64_t>(i)) + 0.5));
  }
  return torch::tensor(result, at::kDouble).to(scalar_type<T>());
}

template <class T>
class AdamOf : public testing::Test {};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(AdamOf, Types);

TYPED_TEST(AdamOf, agrees_with_the_printed_algorithm) {
  constexpr std::int64_t kSize = 1000;
  constexpr int kSteps = 50;
  for (const double weight_decay : {0.0, 0.1}) {
    OptimizerConfig config = schedule(5);
    config.betas = {0.8, 0.95};
    config.weight_decay = weight_decay;
    const at::Tensor values =
        torch::linspace(-2, 2, kSize, at::kDouble).to(scalar_type<TypeParam>());
    ReferenceAdam truth{0.8, 0.95, weight_decay, numbers(values)};
    Adam adam(config, values);
    for (int step = 0; step < kSteps; ++step) {
      const at::Tensor gradients = gradients_of<TypeParam>(step, kSize);
      const double rate = learning_rate_at(config, step, kSteps);
      adam.update(gradients, rate, no_skip());
      truth.update(numbers(gradients), rate);
      // Values up to 2 + 0.5 t take one rounded update a step.
      const double size = 2 + 0.5 * (step + 1);
      ASSERT_LE(largest_difference(numbers(values), truth.values),
                size * tol<TypeParam>(step + 1, 1))
          << "step " << step << ", weight decay " << weight_decay;
    }
  }
}

TYPED_TEST(AdamOf, first_step_is_the_rate_times_the_sign) {
  // m_hat / sqrt(v_hat) = g / |g| once both biases are corrected; epsilon shortens it by 1e-8.
  const OptimizerConfig config = schedule(0);
  const at::Tensor values = torch::zeros({3}, scalar_type<TypeParam>());
  Adam(config, values)
      .update(torch::tensor({4.0, -3.0, 1.0}, scalar_type<TypeParam>()), 0.25, no_skip());
  const std::vector<double> expected = {0.25, -0.25, 0.25};
  EXPECT_LE(largest_difference(numbers(-values), expected), 0.25 * (1e-8 + tol<TypeParam>(1)));
}

TYPED_TEST(AdamOf, leaves_padding_at_zero) {
  OptimizerConfig config = schedule(0);
  config.weight_decay = 0.1;
  const at::Tensor values = torch::zeros({100}, scalar_type<TypeParam>());
  Adam adam(config, values);
  for (int step = 0; step < 5; ++step) adam.update(torch::zeros_like(values), 0.5, no_skip());
  EXPECT_TRUE(values.equal(torch::zeros_like(values)));
}

TYPED_TEST(AdamOf, average_has_the_shorter_memory_first) {
  constexpr double kDecay = 0.6;  // reached at age 12.5: (1 + age) / (10 + age) is below it before
  constexpr int kSteps = 40;
  const at::Tensor values = torch::full({5}, 3, scalar_type<TypeParam>());
  WeightAverage average(kDecay, values);
  double truth = 3;
  for (int age = 1; age <= kSteps; ++age) {
    const double value = std::sin(age);
    values.fill_(value);
    average.update(values, no_skip());
    const double memory = age <= 12 ? (1.0 + age) / (10.0 + age) : kDecay;
    truth = memory * truth + (1 - memory) * static_cast<double>(static_cast<TypeParam>(value));
    average.copy_to(values);
    // A contraction: the rounding of earlier updates is forgotten as they are.
    EXPECT_NEAR(values[4].template item<double>(), truth, 3 * tol<TypeParam>(1)) << age;
  }
}

TYPED_TEST(AdamOf, leaves_all_as_it_was_in_a_step_that_does_not_count) {
  const OptimizerConfig config = schedule(0);
  const auto run = [&](bool with_skipped) {
    const at::Tensor values = torch::ones({100}, scalar_type<TypeParam>());
    Adam adam(config, values);
    WeightAverage average(0.5, values);
    for (int step = 0; step < 5; ++step) {
      if (with_skipped) {
        const at::Tensor before = values.clone();
        adam.update(torch::full_like(values, HUGE_VAL), 0.5, torch::ones({}, at::kFloat));
        average.update(values, torch::ones({}, at::kFloat));
        EXPECT_TRUE(values.equal(before));
      }
      adam.update(gradients_of<TypeParam>(step, 100), 0.5, no_skip());
      average.update(values, no_skip());
    }
    checkpoint::Snapshot state;
    adam.describe(StateFields::to(state));
    average.describe(StateFields::to(state));
    EXPECT_EQ(state.metadata.integer("adam.updates"), 5);
    EXPECT_EQ(state.metadata.integer("average.updates"), 5);
    const at::Tensor averaged = values.clone();
    average.copy_to(averaged);
    return torch::cat({values, averaged});
  };
  EXPECT_TRUE(run(true).equal(run(false)));
}

TYPED_TEST(AdamOf, average_of_decay_0_changes_nothing) {
  const at::Tensor values = torch::ones({5}, scalar_type<TypeParam>());
  WeightAverage average(0, values);
  values.fill_(2);
  average.update(values, no_skip());
  average.copy_to(values);
  EXPECT_TRUE(values.equal(torch::full_like(values, 2)));
}

}  // namespace
}  // namespace kantor::test
