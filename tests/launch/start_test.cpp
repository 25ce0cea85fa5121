// solver.sinkhorn.warm_start = RUN_DIR: what fits, and what is refused before anything is written.

#include <filesystem>

#include "runtime/core/error.hpp"
#include "tests/launch/launch_fixture.hpp"

namespace kantor::test {
namespace {

using Words = std::vector<std::string>;

class Start : public Launch {
 protected:
  Start() {
    write_small_problem();
    EXPECT_EQ(solve("first", {"solver.name=sinkhorn"}).exit_code, 0);
  }
  ProcessOutcome solve(const std::string& out, const Words& settings, int num_ranks = 1) const {
    Words words = {"run", "problem.toml", "--out", out};
    for (const std::string& setting : settings) words.insert(words.end(), {"--set", setting});
    return num_ranks > 1 ? kantor_on_ranks(num_ranks, words) : kantor(words);
  }
  const Words warm_ = {"solver.name=sinkhorn", "solver.sinkhorn.warm_start=first"};
  Words warm(const std::string& more) const {
    Words words = warm_;
    words.push_back(more);
    return words;
  }
};

TEST_F(Start, from_a_run_on_the_same_data_says_nothing_of_it) {
  const ProcessOutcome outcome = solve("out", warm_);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.err.find("warm_start"), std::string::npos) << outcome.err;
  EXPECT_NE(read("out/result.json").find("\"iterations\": 1,"), std::string::npos);
}

TEST_F(Start, at_another_epsilon_or_cost_is_one_all_the_same_with_a_warning) {
  for (const auto& [name, setting, said] :
       {std::tuple{"epsilon", "problem.epsilon=0.4",
                   "first was at epsilon 0.5, this one is at 0.4"},
        std::tuple{"cost", "problem.cost=half_sqeuclidean",
                   "first was at cost sqeuclidean, this one is at half_sqeuclidean"}}) {
    const ProcessOutcome outcome = solve(name, warm(setting));
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_NE(outcome.err.find(said), std::string::npos) << outcome.err;
    EXPECT_NE(read(concat(name, "/log.txt")).find(said), std::string::npos);
  }
}

TEST_F(Start, on_other_marginals_is_refused_before_anything_is_written) {
  write_points("x.npy", 40, 2, 0.1);
  for (const int num_ranks : {1, 2}) {
    expect_refused(
        solve("out", warm_, num_ranks), 78,
        {"solver.sinkhorn.warm_start", "first", "marginal 0", "x.npy", "same marginals"});
    EXPECT_FALSE(exists("out"));
  }
  expect_run_refused(78, {"marginal 0"}, {"--dry-run", "--set", warm_[0], "--set", warm_[1]});
  write_points("x.npy", 40, 2, 0);
  write_points("y.npy", 50, 2, 0.4);
  expect_run_refused(78, {"marginal 1", "y.npy"}, {"--set", warm_[0], "--set", warm_[1]});
}

TEST_F(Start, on_other_marginals_is_refused_where_a_folder_holds_no_state_to_go_on_from) {
  write_points("x.npy", 40, 2, 0.1);
  std::filesystem::create_directory(folder().path() / "out");
  write("out/LOCK", "");
  Words words = {"run", "problem.toml", "--out", "out", "--resume"};
  for (const std::string& setting : warm_) words.insert(words.end(), {"--set", setting});
  for (const int num_ranks : {1, 2}) {
    expect_refused(num_ranks > 1 ? kantor_on_ranks(num_ranks, words) : kantor(words), 78,
                   {"solver.sinkhorn.warm_start", "first", "marginal 0", "same marginals"});
    EXPECT_FALSE(exists("out/log.txt"));
  }
}

TEST_F(Start, without_a_potential_is_refused_before_anything_is_written) {
  const Words more = {"--set", warm_[0], "--set", warm_[1]};
  write_points("y.npy", 51, 2, 0.5);
  expect_run_refused(3, {"potentials/1.npy", "50 values", "51 points"}, more);
  std::filesystem::remove_all(folder().path() / "first/potentials");
  expect_run_refused(3, {"potentials/1.npy"}, more);
  std::filesystem::remove_all(folder().path() / "first");
  expect_run_refused(3, {"first", "no folder"}, more);
}

TEST_F(Start, from_a_run_of_progot_is_refused) {
  ASSERT_EQ(solve("progot", {"solver.name=progot"}).exit_code, 0);
  expect_run_refused(78, {"is of progot"},
                     {"--set", warm_[0], "--set", "solver.sinkhorn.warm_start=progot"});
}

TEST_F(Start, from_a_folder_of_potentials_alone_is_warned_of) {
  std::filesystem::remove(folder().path() / "first/resolved.toml");
  const ProcessOutcome outcome = solve("out", warm_);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_NE(outcome.err.find("there is no"), std::string::npos) << outcome.err;
}

/// A run that goes on has its own state, whatever became of the other one.
TEST_F(Start, is_not_asked_for_by_a_run_that_goes_on) {
  const Words settings = warm("run.checkpoint.every_steps=1");
  ASSERT_EQ(solve("out", settings).exit_code, 0);
  std::filesystem::remove(folder().path() / "out/result.json");
  std::filesystem::remove_all(folder().path() / "first");
  Words words = {"run", "problem.toml", "--out", "out", "--resume"};
  for (const std::string& setting : settings) words.insert(words.end(), {"--set", setting});
  const ProcessOutcome outcome = kantor(words);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
}

}  // namespace
}  // namespace kantor::test
