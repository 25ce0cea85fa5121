// Under mpirun with 1 to 4 ranks: a Sinkhorn nested in a loop of solves, stopped anywhere.

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "solvers/sinkhorn/names_of_before.hpp"
#include "solvers/sinkhorn/solution.hpp"
#include "tests/solvers/small_problem.hpp"
#include "tests/support/world.hpp"

namespace kantor::test {
namespace {

constexpr std::int64_t kOuterSteps = 3;

const Problem& problem() {
  static const Problem kProblem = random_problem({}, .1, {.n = 45, .m = 38, .d = 2});
  return kProblem;
}

/// What a loop around Sinkhorn has reached: a sum over its solves, and the last g.
struct Outer {
  std::int64_t step = 0;
  std::int64_t iterations = 0;
  double sum = 0;
  std::vector<double> g;

  void describe(const StateFields& fields) {
    fields.add("step", step);
    fields.add("iterations", iterations);
    fields.add("sum", sum);
    fields.add("g", g);
  }
};

sinkhorn::Report solved(Outer& outer, std::vector<double>& f, TestRun& run,
                        CheckpointScope& scope) {
  const ShardedPairs<double> points(pair_of(problem()), {}, Storage::absorbed, run.context);
  const sinkhorn::Stopping stopping{.tolerance = 1e-6 / (1 + static_cast<double>(outer.step)),
                                    .max_iterations = 1000,
                                    .momentum = {.weight = 1.2}};
  return sinkhorn::iterate(points, stopping, f, outer.g, run.context, "inner", scope);
}

/// Two such loops, one after the other, whose parts have the same names.
double loops(TestRun& run) {
  CheckpointScope whole(run.context.checkpoints);
  std::int64_t first_step = 0;
  double sum = 0;
  for (const std::string name : {"first", "second"}) {
    CheckpointScope loop(whole, name, first_step);
    Outer outer{.g = std::vector<double>(38)};
    if (!whole.found(name, outer)) {
      loop.found("outer", outer);
      while (outer.step < kOuterSteps) {
        CheckpointScope scope(loop, "sinkhorn", outer.iterations);
        std::vector<double> f;
        for (double& value : outer.g) value *= .5;
        outer.iterations += solved(outer, f, run, scope).iterations;
        for (const double value : outer.g) outer.sum += value;
        ++outer.step;
        loop.ended("outer", outer);
      }
      whole.ended(name, outer);
    }
    first_step += outer.iterations;
    sum = 3 * sum + outer.sum;
  }
  return sum;
}

TEST(Scopes, of_a_sinkhorn_in_a_loop_go_on_to_the_bit_from_where_it_was_stopped) {
  TestRun whole(world());
  const double expected = loops(whole);
  const std::int64_t num_passes = whole.stop.num_answers();
  ASSERT_GT(num_passes, 40);
  std::int64_t last = 0;
  for (std::int64_t answer = 2; answer < num_passes; answer += 3) {
    SCOPED_TRACE(answer);
    TestRun stopped(world());
    if (world().rank() == world().size() - 1) stopped.stop.ask_at(answer);
    std::int64_t step = -1;
    try {
      loops(stopped);
      ADD_FAILURE() << "did not stop";
    } catch (const Stopped& stop) {
      step = stop.step;
    }
    EXPECT_GE(step, last);  // counts all solves so far
    last = step;
    EXPECT_EQ(stopped.checkpoints.saved().back().metadata.step, step);
    TestRun resumed(world());
    resumed.checkpoints.resume_from(stopped.checkpoints.saved().back());
    EXPECT_EQ(loops(resumed), expected);
    EXPECT_LE(resumed.stop.num_answers(), num_passes - answer + 3);  // nothing is solved twice
  }
}

TEST(Scopes, give_every_part_names_of_its_own_and_forget_what_their_parent_no_more_needs) {
  TestRun run(world());
  run.checkpoints = MemoryCheckpoints(1);
  loops(run);
  const checkpoint::Snapshot& last = run.checkpoints.saved().back();
  EXPECT_NE(last.find("second/sinkhorn/sinkhorn.g"), nullptr);
  EXPECT_NE(last.find("second/outer.g"), nullptr);
  EXPECT_NE(last.find("first.g"), nullptr);
  EXPECT_EQ(last.find("first/outer.g"), nullptr);  // its loop has ended
  EXPECT_EQ(last.metadata.integer("first.step"), kOuterSteps);
  const std::int64_t inner = last.metadata.integer("second/sinkhorn/step");
  EXPECT_EQ(last.metadata.step, last.metadata.integer("first.iterations") +
                                    last.metadata.integer("second/outer.iterations") + inner);
}

TEST(Scopes, refuse_a_state_of_which_a_field_is_missing) {
  TestRun run(world());
  run.checkpoints = MemoryCheckpoints(1);
  loops(run);
  checkpoint::Snapshot state = run.checkpoints.saved().back();
  state.metadata.numbers.erase("second/outer.sum");
  TestRun resumed(world());
  resumed.checkpoints.resume_from(state);
  EXPECT_THROW(loops(resumed), DataError);
}

/// Names of a debiased ProgOT that stopped in the solve of the moved cloud against itself.
TEST(NamesOfBefore, become_those_of_the_scopes) {
  const double number[] = {1};
  const auto tensor = [&](const std::string& name) {
    return checkpoint::make_tensor(name, {1}, std::span<const double>(number));
  };
  checkpoint::Snapshot before;
  before.metadata.integers = {{"progot.solved", 2},
                              {"progot.loop_step", 5},
                              {"progot.0.iterations", 3},
                              {"stage.progot.iterations", 4},
                              {"stage.progot, self.loop_step", 1},
                              {"progot.storage", 1}};
  before.tensors = {tensor("symmetric.f"), tensor("stage.progot.f"), tensor("progot.0.g")};
  const checkpoint::Snapshot now = sinkhorn::in_names_of_today(before);
  EXPECT_EQ(now.metadata.integers,
            (std::map<std::string, std::int64_t>{{"progot.2/step", 5},
                                                 {"progot.0.iterations", 3},
                                                 {"progot.2/solve.iterations", 4},
                                                 {"progot.2/self/step", 1},
                                                 {"progot.storage", 1}}));
  for (const char* name : {"progot.2/self/symmetric.f", "progot.2/solve.f", "progot.0.g"}) {
    EXPECT_NE(now.find(name), nullptr) << name;
  }
  // Names of a Sinkhorn divergence, in its last solve; by its names of today it stays as it is.
  before = {};
  before.metadata.integers = {{"stage.sinkhorn yy.loop_step", 7},
                              {"stage.sinkhorn xx.iterations", 2}};
  before.tensors = {tensor("symmetric.f"), tensor("stage.sinkhorn xx.f")};
  const checkpoint::Snapshot last = sinkhorn::in_names_of_today(before);
  EXPECT_EQ(last.metadata.integer("stage.sinkhorn yy/step"), 7);
  EXPECT_NE(last.find("stage.sinkhorn yy/symmetric.f"), nullptr);
  EXPECT_NE(last.find("stage.sinkhorn xx.f"), nullptr);
  EXPECT_EQ(sinkhorn::in_names_of_today(last).metadata.integers, last.metadata.integers);
}

}  // namespace
}  // namespace kantor::test
