// run.backend = "thread": the command line on ranks that are threads of one process.

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "runtime/core/error.hpp"
#include "runtime/core/process.hpp"
#include "runtime/data/npy.hpp"
#include "tests/launch/launch_fixture.hpp"

namespace kantor::test {
namespace {

using Json = nlohmann::json;

class ThreadRanks : public Launch {
 protected:
  ThreadRanks() { write_small_problem(); }

  ProcessOutcome kantor_on_threads(int num_ranks, std::vector<std::string> words) const {
    for (const char* word : {"--set", "run.backend=thread", "--set"}) words.emplace_back(word);
    words.push_back("run.ranks=" + std::to_string(num_ranks));
    return kantor(words);
  }

  Json result_of(const std::string& run) const { return Json::parse(read(run + "/result.json")); }

  /// Values and potentials of two runs are equal up to the order of sums (float64, 60 steps).
  void expect_equal_results(const std::string& run, const std::string& expected) const {
    const double value = result_of(expected).at("dual_value");
    EXPECT_NEAR(result_of(run).at("dual_value"), value, 1e-12 * std::abs(value));
    for (const char* name : {"/potentials/0.npy", "/potentials/1.npy"}) {
      const auto mine = data::read_npy_vector(folder().file(run + name));
      const auto theirs = data::read_npy_vector(folder().file(expected + name));
      ASSERT_EQ(mine.size(), theirs.size());
      for (std::size_t i = 0; i < mine.size(); ++i) {
        EXPECT_NEAR(mine[i], theirs[i], 1e-12) << run << name << " " << i;  // of order 1
      }
    }
  }
};

TEST_F(ThreadRanks, compute_what_one_process_computes) {
  for (const std::string solver : {"neural", "sinkhorn"}) {
    const std::string setting = "solver.name=" + solver;
    const std::string alone = solver + "-alone";
    const ProcessOutcome expected =
        kantor({"run", "problem.toml", "--quiet", "--set", setting, "--out", alone});
    for (const int num_ranks : {1, 2, 3}) {
      const std::string out = solver + std::to_string(num_ranks);
      const ProcessOutcome outcome = kantor_on_threads(
          num_ranks, {"run", "problem.toml", "--quiet", "--set", setting, "--out", out});
      EXPECT_EQ(outcome.exit_code, expected.exit_code) << outcome.err;
      EXPECT_EQ(outcome.out, "");
      EXPECT_EQ(result_of(out).at("world_size"), num_ranks);
      EXPECT_EQ(result_of(out).at("backend"), "thread");
      EXPECT_EQ(Json::parse(read(out + "/environment.json")).at("hosts").size(),
                static_cast<std::size_t>(num_ranks));
      expect_equal_results(out, alone);
    }
  }
}

TEST_F(ThreadRanks, repeat_to_the_bit) {
  for (const char* out : {"first", "second"}) {
    kantor_on_threads(3, {"run", "problem.toml", "--quiet", "--out", out});
  }
  EXPECT_EQ(read("first/potentials/0.npy"), read("second/potentials/0.npy"));
  EXPECT_EQ(read("first/model.safetensors"), read("second/model.safetensors"));
  EXPECT_EQ(result_of("first").at("objective"), result_of("second").at("objective"));
}

TEST_F(ThreadRanks, warn_once) {
  std::vector<double> weights(40, 0.0);
  weights[7] = 1;
  data::write_npy(folder().file("a.npy"), weights, std::vector<std::int64_t>{40});
  write_problem("problem.toml", "0.5", "path = \"x.npy\"\nweights = \"a.npy\"\nholdout = 0.1",
                "path = \"y.npy\"");
  const ProcessOutcome outcome =
      kantor_on_threads(3, {"run", "problem.toml", "--quiet", "--out", "out"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.err,
            "warning: the held-out points have no weight: there is no held_out_dual\n");
}

TEST_F(ThreadRanks, are_one_per_core_by_default_and_their_run_can_be_evaluated) {
  const ProcessOutcome outcome = kantor({"run", "problem.toml", "--quiet", "--out", "out", "--set",
                                         "run.backend=thread", "--set", "solver.name=sinkhorn"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(result_of("out").at("world_size"), num_available_cores());

  const std::vector<std::string> eval = {"eval",       "out", "--points", "y.npy",
                                         "--marginal", "1",   "--out"};
  for (const char* out : {"alone", "by-two"}) {
    std::vector<std::string> words = eval;
    words.emplace_back(out);
    const ProcessOutcome evaluated =
        words.back() == "alone" ? kantor(words) : kantor_on_ranks(2, words);
    EXPECT_EQ(evaluated.exit_code, 0) << evaluated.err;
    EXPECT_EQ(data::read_npy_vector(folder().file(std::string(out) + "/potential.npy")).size(),
              50u);
  }
}

TEST_F(ThreadRanks, share_the_cores) {
  const ProcessOutcome outcome = kantor_on_threads(2, {"run", "problem.toml", "--dry-run"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  const std::string expected =
      concat("2 ranks (thread), ", std::max(1, num_available_cores() / 2), " threads each");
  EXPECT_NE(outcome.out.find(expected), std::string::npos) << outcome.out;
}

TEST_F(ThreadRanks, print_one_line_when_they_meet_an_error) {
  const std::vector<std::string> run = {"run", "problem.toml", "--out", "out"};
  expect_refused(kantor_on_threads(2, {"run", "problem.toml", "--out", "/proc/kantor"}), 74,
                 {"/proc/kantor", "[rank 0]"});
  write("x.npy", "x,y\n1,2\n");
  expect_refused(kantor_on_threads(3, run), 3, {"x.npy", "[rank 0]"});
  expect_refused(
      kantor_on_threads(3, {"run", "problem.toml", "--out", "out", "--set", "problem.epsilon=0"}),
      78, {"epsilon"});
  EXPECT_FALSE(exists("out"));
}

TEST_F(ThreadRanks, print_one_line_when_all_diverge) {
  const ProcessOutcome outcome = kantor_on_threads(
      3, {"run", "problem.toml", "--out", "out", "--set", "solver.neural.learning_rate=1e300",
          "--set", "solver.neural.clip_norm=0", "--set", "solver.neural.steps=400"});
  expect_refused(outcome, 70, {"NaN", "[rank 0]"});
}

TEST_F(ThreadRanks, print_one_line_when_one_of_them_cannot_start) {
  // Address space for a few stacks alone: of 16 ranks some cannot start, or of their threads.
  const std::string limits = "ulimit -s 8000000; ulimit -v 40000000; exec ";
  for (const char* numbers :
       {"run.ranks=16 --set run.threads=1", "run.ranks=2 --set run.threads=16"}) {
    const ProcessOutcome outcome =
        run_process({"bash", "-c",
                     limits + KANTOR_BINARY +
                         " run problem.toml --out out --set run.backend=thread --set " + numbers},
                    folder().path().string(), 120);
    expect_refused(outcome, 70, {"started only", "of 16", "lower run."});
    EXPECT_FALSE(exists("out"));
  }
}

TEST_F(ThreadRanks, end_together_when_one_of_them_cannot_go_on) {
  // A deadline that cannot be met: ranks that wait end the run; nobody hangs, one line is printed.
  const ProcessOutcome outcome =
      kantor_on_threads(3, {"run", "problem.toml", "--out", "out", "--set", "run.timeout_s=1e-9"});
  expect_refused(outcome, 75, {"not finished after", "run.timeout_s"});
}

TEST_F(ThreadRanks, refuse_bad_settings) {
  expect_run_refused(78, {"run.ranks", "-1"},
                     {"--set", "run.backend=thread", "--set", "run.ranks=-1"});
  expect_run_refused(78, {"run.ranks", "1025"},
                     {"--set", "run.backend=thread", "--set", "run.ranks=1025"});
  for (const char* backend : {"auto", "self", "mpi"}) {
    expect_run_refused(78, {"run.ranks is 2", backend, "thread"},
                       {"--set", "run.ranks=2", "--set", std::string("run.backend=") + backend});
  }
  expect_run_refused(78, {"threed", "thread"}, {"--set", "run.backend=threed"});
}

TEST_F(ThreadRanks, are_refused_under_mpirun_with_several_ranks) {
  expect_refused(
      kantor_on_ranks(2, {"run", "problem.toml", "--out", "out", "--set", "run.backend=thread"}),
      78, {"run.backend = \"thread\"", "2 ranks"});
  EXPECT_FALSE(exists("out"));
  const ProcessOutcome one = kantor_on_ranks(
      1, {"run", "problem.toml", "--out", "out", "--quiet", "--set", "run.backend=thread", "--set",
          "run.ranks=2", "--set", "solver.name=sinkhorn"});
  EXPECT_EQ(one.exit_code, 0) << one.err;
  EXPECT_EQ(result_of("out").at("world_size"), 2);
}

}  // namespace
}  // namespace kantor::test
