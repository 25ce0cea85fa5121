// What training does when a rank meets NaN or inf, when an objective breaks its promise, and when
// the ranks lose each other.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "distributed/collectively.hpp"
#include "distributed/trainer.hpp"
#include "tests/distributed/training.hpp"
#include "tests/support/fault_injecting_communicator.hpp"
#include "tests/support/thrown.hpp"

namespace kantor::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TrainerConfig config_of(std::int64_t steps) {
  return {.steps = steps,
          .optimizer = {.learning_rate = 0.05, .warmup_steps = 0, .average_decay = 0.5}};
}

/// What a rank may meet.
enum class Fault { nan_loss, infinite_loss, nan_gradient, infinite_gradient };

/// A run in which one rank meets a fault at chosen steps.
template <class T>
class FaultyRun {
 public:
  FaultyRun(const TrainerConfig& config, Fault fault, int culprit,
            std::function<bool(std::int64_t)> strikes)
      : context_(world()),
        problem_(world(), Rows::fresh),
        objective_(problem_,
                   [=, this](std::int64_t step, LocalLoss& loss) {
                     if (world().rank() == culprit && strikes(step)) commit(fault, loss);
                   }),
        trainer_(config, objective_, problem_.parameters(), *context_) {}

  Trainer& trainer() { return trainer_; }
  std::vector<double> solution() const { return problem_.solution(); }

 private:
  void commit(Fault fault, LocalLoss& loss) {
    const at::Tensor& gradients = problem_.parameters().gradients();
    if (fault == Fault::nan_loss) loss.value = one(std::nan(""));
    if (fault == Fault::infinite_loss) loss.value = one(-HUGE_VAL);
    if (fault == Fault::nan_gradient) gradients[2].fill_(std::nan(""));
    if (fault == Fault::infinite_gradient) gradients[2].fill_(HUGE_VAL);
  }

  OwnContext context_;
  LeastSquares<T> problem_;
  Tampered objective_;
  Trainer trainer_;
};

constexpr Fault kFaults[] = {Fault::nan_loss, Fault::infinite_loss, Fault::nan_gradient,
                             Fault::infinite_gradient};

template <class T>
class FaultyTrainerOf : public testing::Test {};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(FaultyTrainerOf, Types);

TYPED_TEST(FaultyTrainerOf, skips_on_all_ranks_the_step_at_which_one_met_nan_or_inf) {
  const TrainerConfig config = config_of(6);
  for (const Fault fault : kFaults) {
    for (int culprit = 0; culprit < world().size(); ++culprit) {
      FaultyRun<TypeParam> run(config, fault, culprit, [](std::int64_t step) { return step == 3; });
      std::vector<double> before;
      for (int step = 0; step < 6; ++step) {
        before = run.solution();
        EXPECT_EQ(run.trainer().step().skipped, step == 3);
        EXPECT_EQ(before == run.solution(), step == 3) << "step " << step;
        EXPECT_TRUE(same_bits_on_all_ranks<double>(run.solution())) << "step " << step;
      }
    }
  }
}

TYPED_TEST(FaultyTrainerOf, goes_on_after_a_skipped_step_as_if_its_moments_had_not_seen_it) {
  // The schedule counts the skipped step, Adam and the average do not.
  TrainerConfig config = config_of(4);
  config.optimizer.final_learning_rate = 1;  // the same rate at every step
  FaultyRun<TypeParam> faulty(config, Fault::nan_gradient, 0,
                              [](std::int64_t step) { return step == 0; });
  const TrainingReport report = faulty.trainer().run();
  EXPECT_EQ(report.steps, 4);
  EXPECT_EQ(report.skipped, 1);
  EXPECT_EQ(report.samples, 4.0 * 67);

  OwnContext context(world());
  LeastSquares<TypeParam> problem(world(), Rows::fresh);
  struct Later : Objective {  // starts at step 1
    explicit Later(Objective& objective) : inner(objective) {}
    LocalLoss evaluate(const StepId& id) override { return inner.evaluate({.step = id.step + 1}); }
    std::string remedy(std::size_t) const override { return ""; }
    Objective& inner;
  } later(problem);
  config.steps = 3;
  Trainer(config, later, problem.parameters(), *context).run();
  EXPECT_EQ(faulty.solution(), problem.solution());
}

TYPED_TEST(FaultyTrainerOf, gives_up_on_all_ranks_after_too_many_skipped_steps_in_a_row) {
  TrainerConfig config = config_of(20);
  config.nonfinite_limit = 3;
  for (const Fault fault : kFaults) {
    std::int64_t last_step = -1;
    FaultyRun<TypeParam> run(config, fault, world().size() - 1, [&](std::int64_t step) {
      last_step = step;
      return step >= 5;
    });
    const auto train = [&] { run.trainer().run(); };
    if (world().rank() == 0) {
      EXPECT_THAT(message_of<NumericError>(train),
                  AllOf(HasSubstr("NaN or inf in 3 steps in a row up to step 8"),
                        HasSubstr("learning_rate")));
    } else {
      message_of<PeerError>(train);
    }
    if (world().rank() == world().size() - 1) {
      EXPECT_EQ(last_step, 7);
    }
    EXPECT_EQ(world().agree(1, "still in step"), 1);
    for (const double value : run.solution()) EXPECT_TRUE(std::isfinite(value));
    EXPECT_TRUE(same_bits_on_all_ranks<double>(run.solution()));
  }
}

TEST(FaultyTrainer, gives_up_with_an_agreed_internal_error) {
  TrainerConfig config = config_of(20);
  config.nonfinite_limit = 1;
  FaultyRun<double> run(config, Fault::nan_loss, 0, [](std::int64_t) { return true; });
  try {
    run.trainer().run();
    ADD_FAILURE() << "threw nothing";
  } catch (const Error& error) {
    EXPECT_EQ(error.exit_code(), ExitCode::internal);
    EXPECT_TRUE(error.is_agreed());
  }
}

TEST(FaultyTrainer, counts_skipped_steps_in_a_row_only) {
  TrainerConfig config = config_of(20);
  config.nonfinite_limit = 3;
  FaultyRun<double> run(config, Fault::nan_loss, 0,
                        [](std::int64_t step) { return step % 3 != 0; });
  TrainingReport report;
  EXPECT_NO_THROW(report = run.trainer().run());
  EXPECT_EQ(report.steps, 20);
  EXPECT_EQ(report.skipped, 13);  // all but 0, 3, .. 18
}

TEST(FaultyTrainer, keeps_the_initial_weights_if_every_step_was_skipped) {
  const TrainerConfig config = config_of(4);
  FaultyRun<double> run(config, Fault::nan_gradient, 0, [](std::int64_t) { return true; });
  EXPECT_EQ(run.trainer().run().skipped, 4);
  EXPECT_EQ(run.solution(), (std::vector<double>{0.1, 0.1, 0.1, 0.1, -0.3}));
}

TEST(FaultyTrainer, refuses_an_objective_whose_gradients_bypass_the_flat_buffer) {
  struct Bypassing : LeastSquares<double> {
    using LeastSquares<double>::LeastSquares;
    LocalLoss evaluate(const StepId&) override {
      const at::Tensor& weight = parameters().parameters()[0].tensor;
      weight.mutable_grad() = torch::ones_like(weight);
      return {};
    }
  } problem(world(), Rows::fresh);
  const TrainerConfig config = config_of(4);
  OwnContext context(world());
  Trainer trainer(config, problem, problem.parameters(), *context);
  EXPECT_THAT(message_of<ValueError>([&] { trainer.step(); }),
              HasSubstr("the gradient of weight is no longer a view"));
}

TEST(FaultyTrainer, passes_on_the_error_of_a_lost_rank) {
  FaultInjectingCommunicator ranks(world(), 4);  // the initial broadcast, then step by step
  const TrainerConfig config = config_of(10);
  OwnContext context(ranks);
  LeastSquares<double> problem(ranks, Rows::fresh);
  Trainer trainer(config, problem, problem.parameters(), *context);
  EXPECT_THAT(message_of<CommError>([&] { trainer.run(); }), HasSubstr("all_reduce #4 (gradients"));
}

}  // namespace
}  // namespace kantor::test
