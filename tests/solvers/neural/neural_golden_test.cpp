// What the first version left in checkpoints of its training is read for ever.
// golden/neural-step-10.kantor is the checkpoint of step 10 of `kantor run golden/neural.toml` on
// one rank.

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <string>

#include "runtime/checkpoint/checkpoint_file.hpp"
#include "runtime/config/value.hpp"
#include "solvers/neural/neural_config.hpp"
#include "solvers/registry.hpp"
#include "tests/solvers/small_problem.hpp"
#include "tests/support/world.hpp"

namespace kantor::test {
namespace {

/// Twenty more steps of Adam carry on by what sums differ where a processor takes them in another
/// order: as between ranks (neural_ranks_test.cpp).
void expect_near(double actual, double expected) {
  EXPECT_NEAR(actual, expected, 1e-12 * (1 + std::abs(expected)));
}

struct GoldenTraining {
  config::Value resolved{config::Table{}, "", ""};
  Configuration configuration =
      read_configuration(config::parse_toml_file(KANTOR_GOLDEN_FOLDER "/neural.toml"), resolved);
  TestRun run{world()};

  Outcome solve() {
    run.checkpoints = MemoryCheckpoints(10);
    if (from != nullptr) run.checkpoints.resume_from(*from);
    return kantor::solve(configuration, load_problem(configuration.problem, run.context),
                         run.context);
  }
  const checkpoint::Snapshot* from = nullptr;
};

checkpoint::Snapshot golden() {
  return checkpoint::read_checkpoint(KANTOR_GOLDEN_FOLDER "/neural-step-10.kantor");
}

TEST(NeuralGolden, goes_on_from_a_checkpoint_of_the_first_version) {
  const checkpoint::Snapshot before = golden();
  GoldenTraining training;
  training.from = &before;
  const Outcome result = training.solve();
  EXPECT_EQ(result.steps, 30);
  expect_near(result.dual_value, 2.5085149046498);  // as its result.json said
  expect_near(*result.objective, 2.5451034520780844);
  ASSERT_EQ(training.run.checkpoints.saved().size(), 2u);  // of steps 20 and 30
  EXPECT_EQ(training.run.checkpoints.saved()[0].metadata.step, 20);
  EXPECT_EQ(training.run.checkpoints.saved()[0].metadata.integer("adam.updates"), 20);
}

TEST(NeuralGolden, saves_what_the_first_version_saved) {
  // The loss does not see constants, so that the gradient of the last bias is rounding alone, which
  // Adam divides by its 1e-8 at least.
  const double learning_rate = GoldenTraining()
                                   .configuration.tables.get<neural::NeuralConfig>()
                                   .training.optimizer.learning_rate;
  const double tolerance = 10 * learning_rate * std::numeric_limits<double>::epsilon() / 1e-8;
  const checkpoint::Snapshot before = golden();
  GoldenTraining training;
  training.solve();
  const checkpoint::Snapshot& now = training.run.checkpoints.saved().at(1);
  ASSERT_EQ(now.metadata.step, 10);
  EXPECT_EQ(now.metadata.samples_seen, before.metadata.samples_seen);
  EXPECT_EQ(now.metadata.integers, before.metadata.integers);
  EXPECT_EQ(now.metadata.environment.at("parameters"),
            before.metadata.environment.at("parameters"));
  ASSERT_EQ(now.metadata.numbers.size(), before.metadata.numbers.size());
  EXPECT_EQ(now.metadata.number("train.samples"), before.metadata.number("train.samples"));
  EXPECT_GT(now.metadata.number("train.seconds"), 0);
  ASSERT_EQ(now.tensors.size(), before.tensors.size());
  for (std::size_t k = 0; k < now.tensors.size(); ++k) {
    const checkpoint::Tensor& expected = before.tensors[k];
    SCOPED_TRACE(expected.name);
    EXPECT_EQ(now.tensors[k].name, expected.name);
    const auto values = now.values<double>(expected.name, expected.shape);
    const auto truth = before.values<double>(expected.name, expected.shape);
    for (std::size_t i = 0; i < truth.size(); ++i) {
      EXPECT_NEAR(values[i], truth[i], tolerance * (1 + std::abs(truth[i]))) << i;
    }
  }
}

}  // namespace
}  // namespace kantor::test
