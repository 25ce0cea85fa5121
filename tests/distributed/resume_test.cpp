// A training that was stopped and went on ends with the bits of one that was not.

#include <gtest/gtest.h>

#include "distributed/trainer.hpp"
#include "runtime/checkpoint/checkpoint_file.hpp"
#include "tests/distributed/training.hpp"
#include "tests/support/thrown.hpp"

namespace kantor::test {
namespace {

constexpr std::int64_t kSteps = 24;

TrainerConfig config_of(std::int64_t steps = kSteps) {
  TrainerConfig config;
  config.steps = steps;
  config.optimizer.learning_rate = 0.05;
  config.optimizer.warmup_steps = 5;
  config.optimizer.weight_decay = 0.01;
  config.optimizer.average_decay = 0.9;
  return config;
}

/// Steps 7 and 8 are skipped, so that counters matter.
void spoil(std::int64_t step, LocalLoss& loss) {
  if (step == 7 || step == 8) loss.value = one(std::nan(""));
}

struct Outcome {
  std::vector<double> solution;
  TrainingReport report;
  std::vector<checkpoint::Snapshot> saved;
};

/// Trains to the end, or from a checkpoint, which goes through the bytes of a file.
template <class T>
Outcome train(const checkpoint::Snapshot* from, std::int64_t every_steps,
              const TrainerConfig& config = config_of()) {
  OwnContext context(world());
  context.checkpoints = MemoryCheckpoints(every_steps);
  if (from != nullptr) {
    context.checkpoints.resume_from(checkpoint::decode(checkpoint::encode(*from)));
  }
  LeastSquares<T> problem(world(), Rows::fresh);
  Tampered objective(problem, spoil);
  Trainer trainer(config, objective, problem.parameters(), *context);
  Outcome outcome;
  outcome.report = trainer.run();
  outcome.solution = problem.solution();
  outcome.saved = context.checkpoints.saved();
  return outcome;
}

template <class T>
class Resume : public testing::Test {};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(Resume, Types);

TYPED_TEST(Resume, ends_with_the_same_bits_from_every_checkpoint) {
  const Outcome whole = train<TypeParam>(nullptr, 1);
  ASSERT_EQ(whole.saved.size(), static_cast<std::size_t>(kSteps) + 1);
  for (const checkpoint::Snapshot& state : whole.saved) {
    const Outcome rest = train<TypeParam>(&state, 0);
    EXPECT_TRUE(same_bits<double>(rest.solution, whole.solution)) << state.metadata.step;
    EXPECT_EQ(rest.report.steps, kSteps);
    EXPECT_EQ(rest.report.skipped, 2);
    EXPECT_EQ(rest.report.samples, whole.report.samples);
  }
}

TYPED_TEST(Resume, counts_skipped_steps_in_a_row_across_the_stop) {
  TrainerConfig config = config_of();
  config.nonfinite_limit = 3;
  const Outcome whole = train<TypeParam>(nullptr, 1, config);  // two in a row: no more
  config.nonfinite_limit = 2;
  EXPECT_THROW(train<TypeParam>(&whole.saved[8], 0, config), Error);  // the second one comes now
  EXPECT_EQ(train<TypeParam>(&whole.saved[10], 0, config).report.skipped, 2);
}

TYPED_TEST(Resume, saves_step_0_the_last_step_and_what_is_due) {
  const Outcome whole = train<TypeParam>(nullptr, 10);
  std::vector<std::int64_t> steps;
  for (const checkpoint::Snapshot& state : whole.saved) steps.push_back(state.metadata.step);
  EXPECT_EQ(steps, (std::vector<std::int64_t>{0, 10, 20, kSteps}));
}

TYPED_TEST(Resume, refuses_a_checkpoint_of_other_parameters) {
  const Outcome whole = train<TypeParam>(nullptr, 0);
  checkpoint::Snapshot state = whole.saved.front();
  state.metadata.environment["parameters"] = "weight [7]";
  EXPECT_THROW(train<TypeParam>(&state, 0), Error);
  state = whole.saved.front();
  state.tensors.pop_back();
  EXPECT_THROW(train<TypeParam>(&state, 0), Error);
  state = whole.saved.front();
  state.metadata.integers.erase("adam.updates");
  EXPECT_THROW(train<TypeParam>(&state, 0), Error);
}

/// Parameters of a training that has ended.
struct Trained {
  FlatParameters& parameters;
  void describe(const StateFields& fields) { fields.add("parameters", parameters.values()); }
};

/// Two trainings of one run, the second from where the first ends, with the same names and steps.
std::vector<double> train_twice(OwnContext& context) {
  CheckpointScope run((*context).checkpoints);
  LeastSquares<double> problem(world(), Rows::fresh);
  Trained trained{problem.parameters()};
  const TrainerConfig config = config_of(9);
  for (const std::string name : {"first", "second"}) {
    CheckpointScope scope(run, name, name == "first" ? 0 : config.steps);
    if (run.found(name, trained)) continue;
    Trainer(config, problem, {{"parameters", problem.parameters(), config.optimizer}}, {Turn{}},
            *context, &scope)
        .run();
    run.ended(name, trained);
  }
  return problem.solution();
}

TEST(TwoTrainings, in_scopes_of_their_own_end_with_the_same_bits_from_every_checkpoint) {
  OwnContext whole(world());
  whole.checkpoints = MemoryCheckpoints(1);
  const std::vector<double> expected = train_twice(whole);
  std::vector<std::int64_t> steps;
  for (const checkpoint::Snapshot& state : whole.checkpoints.saved()) {
    steps.push_back(state.metadata.step);
    OwnContext context(world());
    context.checkpoints.resume_from(checkpoint::decode(checkpoint::encode(state)));
    EXPECT_TRUE(same_bits<double>(train_twice(context), expected)) << state.metadata.step;
  }
  EXPECT_EQ(steps, (std::vector<std::int64_t>{0, 1,  2,  3,  4,  5,  6,  7,  8,  9,
                                              9, 10, 11, 12, 13, 14, 15, 16, 17, 18}));
  const checkpoint::Snapshot& last = whole.checkpoints.saved().back();
  EXPECT_NE(last.find("first.parameters"), nullptr);
  EXPECT_EQ(last.find("first/parameters"), nullptr);
  EXPECT_NE(last.find("second/parameters"), nullptr);
  EXPECT_EQ(last.metadata.integer("second/step"), 9);
}

TEST(TwoTrainings, go_on_where_the_second_is_stopped) {
  OwnContext whole(world());
  const std::vector<double> expected = train_twice(whole);
  OwnContext stopped(world());
  if (world().rank() == world().size() - 1) stopped.stop.ask_at(13);
  std::int64_t step = -1;
  try {
    train_twice(stopped);
  } catch (const Stopped& stop) {
    step = stop.step;
  }
  EXPECT_EQ(step, 13);
  EXPECT_EQ(stopped.checkpoints.saved().back().metadata.step, 13);
  OwnContext context(world());
  context.checkpoints.resume_from(stopped.checkpoints.saved().back());
  EXPECT_TRUE(same_bits<double>(train_twice(context), expected));
  EXPECT_EQ(context.stop.num_answers(), 2 * 9 - 13);
}

}  // namespace
}  // namespace kantor::test
