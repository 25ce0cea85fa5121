// Several groups of parameters in one training, each with an optimiser and turns of its own.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "distributed/collectively.hpp"
#include "distributed/trainer.hpp"
#include "runtime/checkpoint/checkpoint_file.hpp"
#include "tests/distributed/training.hpp"
#include "tests/support/temporary_directory.hpp"
#include "tests/support/thrown.hpp"

namespace kantor::test {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::size_t kWeight = 0;
constexpr std::size_t kBias = 1;
constexpr std::int64_t kSteps = 23;  // ends within a turn

/// Least squares again, weight and bias as groups of their own. What it sees of the weights is
/// drawn to a mean of those that were, by an amount that moves: state that no parameter holds.
template <class T>
class TwoGroups : public Objective {
 public:
  using Data = LeastSquares<T>;
  explicit TwoGroups(const Communicator& ranks)
      : shard_(shard_of(Data::kBatch, ranks.rank(), ranks.size())) {}

  LocalLoss evaluate(const StepId& id) override {
    const auto [x, y] = Data::rows(id.step * Data::kBatch, shard_.first, shard_.last);
    const at::Tensor seen = (1 - pull_) * weight_ + pull_ * memory_;
    const at::Tensor loss = (torch::mv(x, seen) + bias_ - y).square().sum() / Data::kBatch;
    loss.backward({}, false, false, {{id.group == kWeight ? weight_ : bias_}});
    if (spoil_bias && id.group == kBias) bias_.mutable_grad().fill_(std::nan(""));
    return {.value = loss.detach().to(at::kDouble), .count = static_cast<double>(shard_.count())};
  }
  void updated(const StepId& id) override {
    memory_.lerp_(weight_.detach(), .25);
    pull_ = .5 * pull_ + .1 / static_cast<double>(1 + num_updates_ % 7);
    num_updates_ += 1 + id.group_step % 2;
  }
  void describe(const StateFields& fields) override {
    fields.add("memory", memory_);
    fields.add("pull", pull_);
    fields.add("updates", num_updates_);
  }
  std::string remedy(std::size_t group) const override {
    return group == kBias ? "lower table.bias.learning_rate" : "lower table.learning_rate";
  }

  std::vector<Group> groups() {
    OptimizerConfig of_weight{.learning_rate = .05, .warmup_steps = 3};
    of_weight.weight_decay = .01;
    of_weight.clip_norm = .5;
    of_weight.average_decay = .8;
    OptimizerConfig of_bias{.learning_rate = .2, .warmup_steps = 0, .final_learning_rate = .3};
    of_bias.betas = {.5, .9};
    return {{"weight", weights, of_weight}, {"bias", biases, of_bias}};
  }
  /// All that a training changes.
  std::vector<double> state() const {
    std::vector<double> all = numbers(torch::cat({weight_, bias_, memory_}));
    all.push_back(pull_);
    return all;
  }

  bool spoil_bias = false;

 private:
  Shard shard_;
  at::Tensor weight_ = torch::full({4}, .1, Data::options().requires_grad(true));
  at::Tensor bias_ = torch::full({1}, -.3, Data::options().requires_grad(true));
  at::Tensor memory_ = torch::zeros({4}, Data::options());
  double pull_ = .1;
  std::int64_t num_updates_ = 0;

 public:
  FlatParameters weights{{{"w", weight_}}};
  FlatParameters biases{{{"b", bias_}}};
};

const std::vector<Turn> kTurns = {{kWeight, 2}, {kBias, 1}};
const TrainerConfig kConfig = {.steps = kSteps, .optimizer = {}, .log_every = 4};

template <class T>
class Groups : public testing::Test {};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(Groups, Types);

/// Two Adams by hand: weight, weight, bias, weight, weight, ..
template <class T>
std::vector<double> by_hand() {
  TwoGroups<T> problem(world());
  const std::vector<Group> groups = problem.groups();
  Adam adams[] = {{groups[0].optimizer, problem.weights.values()},
                  {groups[1].optimizer, problem.biases.values()}};
  WeightAverage average(.8, problem.weights.values());
  const std::int64_t num_steps[] = {16, 7};
  std::int64_t done[] = {0, 0};
  const torch::NoGradGuard no_grad;
  for (std::int64_t step = 0; step < kSteps; ++step) {
    const std::size_t group = step % 3 == 2 ? kBias : kWeight;
    FlatParameters& parameters = groups[group].parameters;
    const StepId id{step, group, done[group]++};
    parameters.zero_gradients();
    {
      const torch::AutoGradMode with_gradient(true);
      parameters.reduce(world(), problem.evaluate(id));
    }
    const at::Tensor& gradients = parameters.gradients();
    if (group == kWeight) gradients.mul_((.5 / gradients.norm().to(at::kDouble)).clamp_max_(1));
    const double rate = learning_rate_at(groups[group].optimizer, id.group_step, num_steps[group]);
    adams[group].update(gradients, rate, no_skip());
    if (group == kWeight) average.update(parameters.values(), no_skip());
    problem.updated(id);
  }
  average.copy_to(problem.weights.values());
  return problem.state();
}

TYPED_TEST(Groups, train_in_turns_as_two_optimisers_by_hand) {
  OwnContext context(world());
  TwoGroups<TypeParam> problem(world());
  const std::int64_t before = world().counts().all_reduce;
  const TrainingReport report = Trainer(kConfig, problem, problem.groups(), kTurns, *context).run();
  EXPECT_EQ(world().counts().all_reduce - before, kSteps);  // one a step, of the group on turn
  EXPECT_EQ(report.steps, kSteps);
  EXPECT_EQ(report.samples, kSteps * 67.0);
  EXPECT_TRUE(same_bits<double>(problem.state(), by_hand<TypeParam>()));
  EXPECT_TRUE(same_bits_on_all_ranks<double>(problem.state()));
}

TYPED_TEST(Groups, go_on_within_a_turn_with_the_same_bits) {
  OwnContext whole(world());
  whole.checkpoints = MemoryCheckpoints(1);
  TwoGroups<TypeParam> problem(world());
  Trainer(kConfig, problem, problem.groups(), kTurns, *whole).run();
  ASSERT_EQ(whole.checkpoints.saved().size(), static_cast<std::size_t>(kSteps) + 1);
  for (const checkpoint::Snapshot& state : whole.checkpoints.saved()) {
    OwnContext context(world());
    context.checkpoints.resume_from(checkpoint::decode(checkpoint::encode(state)));
    TwoGroups<TypeParam> rest(world());
    Trainer(kConfig, rest, rest.groups(), kTurns, *context).run();
    EXPECT_TRUE(same_bits<double>(rest.state(), problem.state())) << state.metadata.step;
  }
}

TEST(GroupsOfATraining, name_what_is_theirs_in_a_checkpoint) {
  OwnContext context(world());
  TwoGroups<double> problem(world());
  Trainer(kConfig, problem, problem.groups(), kTurns, *context).run();
  const checkpoint::Snapshot& state = context.checkpoints.saved().back();
  std::set<std::string> tensors, integers;
  for (const checkpoint::Tensor& tensor : state.tensors) tensors.insert(tensor.name);
  for (const auto& [name, value] : state.metadata.integers) integers.insert(name);
  EXPECT_THAT(tensors, ElementsAre("adam.first_moment", "adam.second_moment", "average",
                                   "bias.adam.first_moment", "bias.adam.second_moment",
                                   "bias.parameters", "objective.memory", "parameters"));
  EXPECT_THAT(integers, ElementsAre("adam.updates", "average.updates", "bias.adam.updates",
                                    "bias.train.skipped_in_a_row", "objective.updates",
                                    "train.skipped", "train.skipped_in_a_row"));
}

TEST(GroupsOfATraining, refuse_a_checkpoint_of_other_groups) {
  OwnContext whole(world());
  TwoGroups<double> problem(world());
  Trainer(kConfig, problem, problem.groups(), kTurns, *whole).run();
  for (const char* missing : {"bias.parameters", "objective.memory", "bias.adam.first_moment"}) {
    checkpoint::Snapshot state = whole.checkpoints.saved().back();
    std::erase_if(state.tensors, [&](const auto& tensor) { return tensor.name == missing; });
    OwnContext context(world());
    context.checkpoints.resume_from(state);
    EXPECT_THROW(Trainer(kConfig, problem, problem.groups(), kTurns, *context), Error) << missing;
  }
  checkpoint::Snapshot state = whole.checkpoints.saved().back();
  state.metadata.environment["bias.parameters"] = "b [2]";
  OwnContext context(world());
  context.checkpoints.resume_from(state);
  EXPECT_THROW(Trainer(kConfig, problem, problem.groups(), kTurns, *context), Error);
}

/// Steps of the other group between them do not count as a recovery.
TEST(GroupsOfATraining, give_up_by_the_remedy_of_the_one_that_meets_nan) {
  OwnContext context(world());
  TwoGroups<double> problem(world());
  problem.spoil_bias = true;
  TrainerConfig config = kConfig;
  config.nonfinite_limit = 3;
  const auto train = [&] { Trainer(config, problem, problem.groups(), kTurns, *context).run(); };
  if (world().rank() == 0) {
    EXPECT_THAT(message_of<NumericError>(train),
                AllOf(HasSubstr("NaN or inf in 3 steps of the bias in a row up to step 9"),
                      HasSubstr("lower table.bias.learning_rate")));
  } else {
    message_of<PeerError>(train);
  }
  const std::vector<double> state = problem.state();
  EXPECT_NE(state[0], .1);   // trained
  EXPECT_EQ(state[4], -.3);  // not once
}

TEST(GroupsOfATraining, write_metrics_of_each_by_its_own_steps) {
  const TemporaryDirectory folder;
  OwnContext context(world());
  context.write_metrics_to(folder.file("metrics.jsonl"));
  TwoGroups<double> problem(world());
  Trainer(kConfig, problem, problem.groups(), kTurns, *context).run();
  std::ifstream in(folder.file("metrics.jsonl"));
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) {
    const auto json = nlohmann::json::parse(line);
    lines.push_back(concat(json["phase"].get<std::string>(), " ", json["step"].get<int>()));
  }
  EXPECT_THAT(lines, ElementsAre("train 5", "train 11", "bias.train 12", "train 17",
                                 "bias.train 21", "train 23"));
}

TEST(GroupsOfATraining, have_names_and_turns_of_their_own) {
  OwnContext context(world());
  TwoGroups<double> problem(world());
  const auto refusal = [&](const std::vector<Group>& groups, const std::vector<Turn>& turns) {
    return message_of<ValueError>([&] { Trainer(kConfig, problem, groups, turns, *context); });
  };
  std::vector<Group> groups = problem.groups();
  EXPECT_THAT(refusal({}, {}), HasSubstr("nothing to train"));
  EXPECT_THAT(refusal(groups, {}), HasSubstr("group weight is never on turn"));
  EXPECT_THAT(refusal(groups, {{kWeight, 1}}), HasSubstr("group bias is never on turn"));
  EXPECT_THAT(refusal(groups, {{kWeight, 1}, {2, 1}}), HasSubstr("a turn of 1 steps of group 2"));
  EXPECT_THAT(refusal(groups, {{kWeight, 1}, {kBias, 0}}), HasSubstr("a turn of 0 steps"));
  groups[kBias].name = "weight";
  EXPECT_THAT(refusal(groups, kTurns), HasSubstr("two parts of a training are called \"weight\""));
  groups[kBias].name = "objective";
  EXPECT_THAT(refusal(groups, kTurns), HasSubstr("called \"objective\""));
}

}  // namespace
}  // namespace kantor::test
