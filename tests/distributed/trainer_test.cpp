#include "distributed/trainer.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/distributed/training.hpp"
#include "tests/support/fault_injecting_communicator.hpp"
#include "tests/support/temporary_directory.hpp"
#include "tests/support/tolerance.hpp"

namespace kantor::test {
namespace {

template <class T>
class TrainerOf : public testing::Test {};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(TrainerOf, Types);

TrainerConfig config_of(std::int64_t steps) {
  return {.steps = steps,
          .optimizer = {.learning_rate = 0.05, .warmup_steps = 10, .final_learning_rate = 0}};
}

/// What a run leaves behind.
struct Outcome {
  std::vector<double> losses;          ///< of every step
  std::vector<double> gradient_norms;  ///< of every step
  std::vector<double> solution;        ///< [D + 1]
};

template <class T>
Outcome train(Communicator& ranks, const TrainerConfig& config) {
  OwnContext context(ranks);
  LeastSquares<T> problem(ranks, Rows::fresh);
  Trainer trainer(config, problem, problem.parameters(), *context);
  Outcome result;
  for (std::int64_t step = 0; step < config.steps; ++step) {
    const StepReport report = trainer.step();
    EXPECT_EQ(report.count, LeastSquares<T>::kBatch);
    EXPECT_FALSE(report.skipped || report.stop);
    result.losses.push_back(report.loss);
    result.gradient_norms.push_back(report.gradient_norm);
  }
  result.solution = problem.solution();
  return result;
}

double largest_relative_difference(const std::vector<double>& a, const std::vector<double>& b) {
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    largest = std::max(largest, std::abs(a[i] - b[i]) / std::abs(b[i]));
  }
  return largest;
}

TYPED_TEST(TrainerOf, finds_the_least_squares_solution) {
  const TrainerConfig config = config_of(600);
  OwnContext context(world());
  LeastSquares<TypeParam> problem(world(), Rows::same);
  Trainer trainer(config, problem, problem.parameters(), *context);
  const TrainingReport report = trainer.run();
  // Adam's steps stay below its rate, which is below 2.5% of the peak in the last tenth of the
  // steps: (1 + cos(0.9 pi)) / 2.
  EXPECT_LE(largest_difference(problem.solution(), problem.closed_form()), 0.025 * 0.05);
  EXPECT_EQ(report.steps, 600);
  EXPECT_EQ(report.skipped, 0);
  EXPECT_EQ(report.samples, 600.0 * 67);
  EXPECT_GT(report.seconds, 0);
}

TYPED_TEST(TrainerOf, makes_one_all_reduce_a_step_and_no_other_call) {
  const TrainerConfig config = config_of(7);
  OwnContext context(world());
  LeastSquares<TypeParam> problem(world(), Rows::fresh);
  const CommCounts before = world().counts();
  Trainer trainer(config, problem, problem.parameters(), *context);
  trainer.run();
  const CommCounts& after = world().counts();
  EXPECT_EQ(after.all_reduce - before.all_reduce, 7);
  EXPECT_EQ(after.broadcast - before.broadcast, 1);  // the initial parameters
  EXPECT_EQ(after.all_gather, before.all_gather);
  EXPECT_EQ(after.reduce_scatter, before.reduce_scatter);
  EXPECT_EQ(after.barrier, before.barrier);
  EXPECT_EQ(after.agree, before.agree);
}

TYPED_TEST(TrainerOf, first_gradient_is_that_of_one_rank) {
  const auto gradient = [](Communicator& ranks) {
    LeastSquares<TypeParam> problem(ranks, Rows::fresh);
    problem.parameters().broadcast(ranks);
    problem.parameters().reduce(ranks, problem.evaluate({}));
    return problem.parameters().gradients().to(at::kDouble);
  };
  const auto self = make_self_communicator();
  const at::Tensor truth = gradient(*self);
  const at::Tensor error = gradient(world()) - truth;
  EXPECT_LE(error.norm().template item<double>() / truth.norm().template item<double>(),
            tol<TypeParam>(67, 1));
}

TYPED_TEST(TrainerOf, takes_the_steps_of_one_rank_on_any_number) {
  const TrainerConfig config = config_of(1000);
  const auto self = make_self_communicator();
  const Outcome truth = train<TypeParam>(*self, config);
  const Outcome mine = train<TypeParam>(world(), config);
  // A gradient rounds as a sum of 67 terms does. Its effect on the weights is forgotten as they
  // converge, so that the number of steps does not matter.
  EXPECT_LE(largest_relative_difference(mine.losses, truth.losses), tol<TypeParam>(67));
  EXPECT_LE(largest_relative_difference(mine.solution, truth.solution), tol<TypeParam>(67));
  EXPECT_LT(truth.losses.back(), truth.losses.front() / 4);
}

TYPED_TEST(TrainerOf, repeats_a_run_to_the_bit) {
  TrainerConfig config = config_of(200);
  config.optimizer.weight_decay = 0.01;
  config.optimizer.clip_norm = 1;
  const Outcome first = train<TypeParam>(world(), config);
  const Outcome second = train<TypeParam>(world(), config);
  EXPECT_TRUE(same_bits<double>(first.losses, second.losses));
  EXPECT_TRUE(same_bits<double>(first.gradient_norms, second.gradient_norms));
  EXPECT_TRUE(same_bits<double>(first.solution, second.solution));
  EXPECT_TRUE(same_bits_on_all_ranks<double>(first.solution));
  EXPECT_TRUE(same_bits_on_all_ranks<double>(first.losses));
}

TYPED_TEST(TrainerOf, clips_the_norm_of_the_global_gradient) {
  // Half of what the gradient is like later, so that it clips by a factor that changes.
  TrainerConfig config = config_of(30);
  config.optimizer.clip_norm = 0.5;
  config.optimizer.weight_decay = 0.01;
  OwnContext context(world());
  LeastSquares<TypeParam> problem(world(), Rows::fresh);
  FlatParameters& parameters = problem.parameters();
  Trainer trainer(config, problem, parameters, *context);
  ReferenceAdam truth{config.optimizer.betas[0], config.optimizer.betas[1], 0.01,
                      numbers(parameters.values())};
  int num_clipped = 0;
  for (int step = 0; step < 30; ++step) {
    const double norm = trainer.step().gradient_norm;
    const std::vector<double> used = numbers(parameters.gradients());
    const double used_norm = parameters.gradients().norm().template item<double>();
    EXPECT_NEAR(used_norm, std::min(norm, 0.5), tol<TypeParam>(5)) << step;
    num_clipped += norm > 0.5 ? 1 : 0;
    truth.update(used, learning_rate_at(config.optimizer, step, config.steps));
    EXPECT_LE(largest_difference(numbers(parameters.values()), truth.values),
              2 * tol<TypeParam>(step + 1))
        << step;
  }
  EXPECT_GT(num_clipped, 0);
}

TYPED_TEST(TrainerOf, reports_the_norm_before_clipping_and_leaves_small_gradients_alone) {
  TrainerConfig config = config_of(1);
  const auto first_step = [&](double clip_norm) {
    config.optimizer.clip_norm = clip_norm;
    OwnContext context(world());
    LeastSquares<TypeParam> problem(world(), Rows::fresh);
    Trainer trainer(config, problem, problem.parameters(), *context);
    const double norm = trainer.step().gradient_norm;
    return std::pair(norm, problem.parameters().gradients().clone());
  };
  const auto [norm, free] = first_step(0);
  const auto [same_norm, untouched] = first_step(norm * 1.01);
  const auto [clipped_norm, clipped] = first_step(norm / 4);
  EXPECT_EQ(same_norm, norm);
  EXPECT_EQ(clipped_norm, norm);
  EXPECT_TRUE(untouched.equal(free));
  EXPECT_LE(largest_difference(numbers(clipped * 4), numbers(free)), norm * tol<TypeParam>(1));
}

TYPED_TEST(TrainerOf, leaves_the_averaged_weights_alike_on_all_ranks) {
  constexpr int kSteps = 8;  // few enough to show what the average has started from
  TrainerConfig config = config_of(kSteps);
  OwnContext context(world());
  LeastSquares<TypeParam> plain(world(), Rows::fresh);
  Trainer stepper(config, plain, plain.parameters(), *context);
  std::vector<double> average = plain.solution();
  for (int age = 1; age <= kSteps; ++age) {
    stepper.step();
    const double memory = std::min(0.4, (1.0 + age) / (10.0 + age));
    const std::vector<double> now = plain.solution();
    for (std::size_t i = 0; i < now.size(); ++i) {
      average[i] = memory * average[i] + (1 - memory) * now[i];
    }
  }
  config.optimizer.average_decay = 0.4;
  LeastSquares<TypeParam> averaged(world(), Rows::fresh);
  Trainer(config, averaged, averaged.parameters(), *context).run();
  EXPECT_LE(largest_difference(averaged.solution(), average), 2 * tol<TypeParam>(1));
  EXPECT_TRUE(same_bits_on_all_ranks<double>(averaged.solution()));
  EXPECT_GT(largest_difference(averaged.solution(), plain.solution()), 1e-3);  // not the last ones
}

TYPED_TEST(TrainerOf, stops_on_all_ranks_at_the_step_at_which_one_was_asked_to) {
  for (int asked = 0; asked < world().size(); ++asked) {
    const TrainerConfig config = config_of(20);
    OwnContext context(world());
    LeastSquares<TypeParam> problem(world(), Rows::fresh);
    Tampered objective(problem, [&](std::int64_t step, LocalLoss&) {
      if (step == 4 && world().rank() == asked) context.stop.ask();
    });
    Trainer trainer(config, objective, problem.parameters(), *context);
    try {
      trainer.run();
      ADD_FAILURE() << "not stopped";
    } catch (const Stopped& stopped) {
      EXPECT_EQ(stopped.step, 5);
      EXPECT_TRUE(stopped.is_agreed());
      EXPECT_EQ(static_cast<int>(stopped.exit_code()), 75);
    }
    ASSERT_EQ(context.checkpoints.saved().size(), 2u);  // of step 0, and of the stop
    EXPECT_EQ(context.checkpoints.saved()[1].metadata.step, 5);
    EXPECT_EQ(context.checkpoints.saved()[1].metadata.samples_seen, 5 * 67);
    EXPECT_TRUE(same_bits_on_all_ranks<double>(problem.solution()));
  }
  EXPECT_EQ(world().agree(1, "still in step"), 1);
}

TEST(Trainer, does_nothing_in_0_steps) {
  const TrainerConfig config = config_of(0);
  OwnContext context(world());
  LeastSquares<double> problem(world(), Rows::fresh);
  const TrainingReport report = Trainer(config, problem, problem.parameters(), *context).run();
  EXPECT_EQ(report.steps, 0);
  EXPECT_EQ(report.samples, 0);
  EXPECT_EQ(problem.solution(), (std::vector<double>{0.1, 0.1, 0.1, 0.1, -0.3}));  // rank 0's
}

/// The metrics lines of a run of 10 steps, and the losses of the same run.
std::vector<nlohmann::json> metrics_lines(std::int64_t log_every, std::vector<double>& losses) {
  const TemporaryDirectory folder;
  TrainerConfig config = config_of(10);
  config.log_every = log_every;
  losses = train<double>(world(), config).losses;
  OwnContext context(world());
  context.write_metrics_to(folder.file("metrics.jsonl"));
  LeastSquares<double> problem(world(), Rows::fresh);
  Trainer(config, problem, problem.parameters(), *context).run();
  std::ifstream in(folder.file("metrics.jsonl"));
  std::vector<nlohmann::json> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(nlohmann::json::parse(line));
  return lines;
}

TEST(Trainer, writes_a_metrics_line_every_so_often_and_at_the_end) {
  std::vector<double> losses;
  const auto lines = metrics_lines(4, losses);
  ASSERT_EQ(lines.size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) {
    const std::int64_t step = std::vector<std::int64_t>{4, 8, 10}[i];
    EXPECT_EQ(lines[i]["phase"], "train");
    EXPECT_EQ(lines[i]["step"], step);
    EXPECT_EQ(lines[i]["loss"], losses[static_cast<std::size_t>(step - 1)]);
    EXPECT_EQ(lines[i]["learning_rate"], learning_rate_at(config_of(10).optimizer, step - 1, 10));
    EXPECT_EQ(lines[i]["skipped_steps"], 0);
    EXPECT_GT(lines[i]["gradient_norm"], 0);
    EXPECT_GT(lines[i]["samples_per_second"], 0);
    EXPECT_GT(lines[i]["resident_bytes"], 0);
  }
  EXPECT_EQ(metrics_lines(5, losses).size(), 2u);  // the last step is not written twice
  EXPECT_EQ(metrics_lines(100, losses).size(), 1u);
}

TEST(Trainer, writes_the_same_lines_again_except_for_time) {
  std::vector<double> losses;
  auto first = metrics_lines(1, losses), second = metrics_lines(1, losses);
  ASSERT_EQ(first.size(), 10u);
  for (auto* lines : {&first, &second}) {
    for (auto& line : *lines) {
      line.erase("samples_per_second");
      line.erase("resident_bytes");
    }
  }
  EXPECT_EQ(first, second);
}

TEST(Trainer, synchronizes_the_verbs_before_it_reads_what_they_gave) {
  FaultInjectingCommunicator ranks(world(), 1000);
  OwnContext context(ranks);
  LeastSquares<double> problem(ranks, Rows::same);
  Trainer trainer(config_of(5), problem, problem.parameters(), *context);
  EXPECT_EQ(ranks.num_synchronized(), 1) << "the values of rank 0";
  for (int step = 1; step <= 3; ++step) {
    trainer.step();
    EXPECT_EQ(ranks.num_synchronized(), 1 + step);
  }
}

}  // namespace
}  // namespace kantor::test
