// Under mpirun with 1 and 2 ranks: a solver that the program knows by one row.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "solvers/registry.hpp"
#include "tests/runtime/config/config_text.hpp"
#include "tests/solvers/dense_eot.hpp"
#include "tests/support/thrown.hpp"
#include "tests/support/world.hpp"

namespace kantor::test {
namespace {

using ::testing::HasSubstr;

Configuration read(const std::string& problem, const std::string& solver) {
  config::Value resolved{config::Table{}, "", ""};
  std::string text = concat("[problem]\nepsilon = 0.3\n", problem);
  for (const int n : {21, 17}) {
    text += concat("[[problem.marginals]]\ngenerator = { name = \"uniform_cube\", n = ", n,
                   ", d = 2, seed = ", n, " }\n");
  }
  return read_configuration(parsed(text + solver + "[run]\nprecision = \"float64\"\n"), resolved);
}

const std::string kKind = "kind = \"toy\"\nanneal = 3.0\n";
const std::string kSolver =
    "[solver]\nname = \"toy\"\n[solver.sinkhorn]\ntolerance = 1e-9\n"
    "[solver.toy]\nlearning_rate = 0.05\nwarmup_steps = 5\nsteps = ";

constexpr int kSteps = 45;

struct Solve {
  Configuration configuration;
  TestRun run{world()};
  Problem problem;

  explicit Solve(int steps = kSteps)
      : configuration(read(kKind, concat(kSolver, steps, "\n"))),
        problem(load_problem(configuration.problem, run.context)) {}
  Result result() { return solve(configuration, problem, run.context); }
};

TEST(Toy, is_read_and_refused_by_its_own_keys) {
  const auto refusal = [](const std::string& problem, const std::string& solver) {
    return message_of<ConfigError>([&] { read(problem, solver); });
  };
  EXPECT_THAT(refusal("anneal = 3.0\n", ""), HasSubstr("is a key of kind toy"));
  EXPECT_THAT(refusal("kind = \"toy\"\nanneal = 0.5\n", ""), HasSubstr("1 or more"));
  EXPECT_THAT(refusal("kind = \"toy\"\nrho = 1\n", ""), HasSubstr("is a key of kind eot"));
  EXPECT_THAT(refusal(kKind, "[solver.toy.network]\nwidth = []\n"), HasSubstr("1 to 64"));
  EXPECT_THAT(refusal("", "[solver]\nname = \"toy\"\n"), HasSubstr("does not solve"));
  EXPECT_THAT(refusal(kKind, "[solver]\nname = \"sinkhorn\"\n"), HasSubstr("does not solve"));
}

TEST(Toy, solves_and_learns) {
  Solve toy;
  const Result result = toy.result();
  EXPECT_EQ(result.kind, "toy");
  EXPECT_EQ(result.solver, "toy");
  EXPECT_TRUE(*result.converged);
  const DenseEot dense(toy.problem);
  const DenseEot::Pair truth = dense.sinkhorn(2000);
  const double optimum = dense.dual_value(truth.f, truth.g);
  EXPECT_NEAR(*result.dual_value, optimum, 1e-9);
  EXPECT_NEAR(*result.objective, optimum, 1e-9);
  EXPECT_EQ(result.own.get<std::int64_t>("steps"), kSteps);
  const Result unlearned = Solve(1).result();  // its one step is of the warm-up
  for (std::size_t k = 0; k < 2; ++k) {
    EXPECT_LT(result.own.get<std::vector<double>>("fit_error")[k],
              .5 * unlearned.own.get<std::vector<double>>("fit_error")[k]);
  }
}

TEST(Toy, goes_on_to_the_bit_from_wherever_it_was_stopped) {
  Solve whole;
  const Result expected = whole.result();
  const std::int64_t num_answers = whole.run.stop.num_answers();
  ASSERT_GT(num_answers, expected.iterations + kSteps - 1);
  for (std::int64_t answer = 1; answer < num_answers; answer += 2) {
    SCOPED_TRACE(concat("answer ", answer, " of ", num_answers));
    Solve stopped;
    if (world().rank() == world().size() - 1) stopped.run.stop.ask_at(answer);
    EXPECT_THROW(stopped.result(), Stopped);
    Solve resumed;
    resumed.run.checkpoints.resume_from(stopped.run.checkpoints.saved().back());
    const Result result = resumed.result();
    EXPECT_LE(resumed.run.stop.num_answers(), num_answers - answer + 3);  // nothing twice
    EXPECT_EQ(*result.objective, *expected.objective);
    EXPECT_EQ(result.own, expected.own);
    EXPECT_EQ(result.iterations, expected.iterations);
    ASSERT_EQ(result.arrays.size(), expected.arrays.size());
    for (std::size_t k = 0; k < result.arrays.size(); ++k) {
      EXPECT_EQ(result.arrays[k].values, expected.arrays[k].values);
    }
    EXPECT_EQ(resumed.run.checkpoints.saved().back().metadata.step, expected.iterations + kSteps);
  }
}

}  // namespace
}  // namespace kantor::test
