// A rank that hangs does not hold the others for ever: they leave with 75 and say which one it was.

#include <gmock/gmock.h>
#include <signal.h>

#include "runtime/core/error.hpp"
#include "tests/launch/interrupted.hpp"

namespace kantor::test {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;

using Words = std::vector<std::string>;

class Hang : public Interrupted {
 protected:
  /// Ten times the deadline of 2 s and the 3 s that mpirun may take to end all.
  static constexpr double kLong_s = 50;
  const Words settings_ = {"solver.neural.steps=3000", "solver.neural.log_every=1",
                           "run.checkpoint.every_steps=20", "run.timeout_s=2"};

  /// All are gone and one has said, in one line, what `said` matches.
  void expect_left(Process& process, const std::string& said) const {
    const ProcessOutcome outcome = process.wait(kLong_s);
    EXPECT_FALSE(outcome.timed_out);
    EXPECT_EQ(outcome.exit_code, 75) << outcome.err;
    const std::vector<std::string> lines = error_lines(outcome.err);
    ASSERT_EQ(lines.size(), 1u) << outcome.err;
    EXPECT_THAT(lines.front(), ContainsRegex(said));
    EXPECT_TRUE(becomes_true([&] { return processes().empty(); }, kLong_s));
  }
  ProcessOutcome with_stuck(int num_ranks, const std::string& stuck,
                            const std::string& timeout_s = "0.5") const {
    return script_on_ranks(num_ranks,
                           concat("export KANTOR_STUCK=", stuck, " LD_PRELOAD='", KANTOR_STUCK_MPI,
                                  "'; exec \"$KANTOR\" run problem.toml --out out --quiet --set ",
                                  "run.timeout_s=", timeout_s));
  }
  void expect_ended(const ProcessOutcome& outcome, const std::string& said) const {
    EXPECT_FALSE(outcome.timed_out);
    EXPECT_EQ(outcome.exit_code, 75) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr(said));
    EXPECT_TRUE(becomes_true([&] { return processes().empty(); }, kLong_s));
  }
};

TEST_F(Hang, of_a_stopped_rank_ends_all_by_name_and_the_run_goes_on_later) {
  const ProcessOutcome whole = run("whole", kThreeProcesses, settings_);
  for (const int victim : {1, 0, 2}) {
    SCOPED_TRACE(concat("rank ", victim));
    const auto process = start_run("out", kThreeProcesses, settings_, {"--resume", "--quiet"});
    const std::int64_t before = reached("out", "train");
    ASSERT_TRUE(becomes_true([&] { return reached("out", "train") > before; }, kPatience_s));
    ASSERT_EQ(kill(processes().at(victim), SIGSTOP), 0);
    expect_left(*process,
                concat("\\[rank [0-2]\\] [a-z_]+ #[0-9]+ \\(.+, .+B\\) at step [0-9]+ not ",
                       "finished after 2 s; rank ", victim, " last seen at #"));
  }
  EXPECT_EQ(resume("out", kThreeProcesses, settings_).exit_code, whole.exit_code);
  expect_same_results("whole", "out");
}

TEST_F(Hang, of_a_stopped_rank_ends_sinkhorn_too) {
  const auto process = start_run("out", kThreeProcesses,
                                 {"solver.name=sinkhorn", "solver.sinkhorn.tolerance=0",
                                  "solver.sinkhorn.max_iterations=100000000", "run.timeout_s=2"});
  ASSERT_TRUE(becomes_true([&] { return reached("out", "sinkhorn") > 0; }, kPatience_s));
  ASSERT_EQ(kill(processes().at(1), SIGSTOP), 0);
  expect_left(*process, "all_reduce #[0-9]+ \\(column sums, .+B\\) at step [0-9]+ not finished");
}

// Waits that nothing can poll: the last resort.

TEST_F(Hang, of_a_peer_that_never_starts_mpi_ends_the_others) {
  expect_ended(with_stuck(2, "MPI_Init_thread:1:stop"),
               "[rank 0] starting MPI does not come back after 10 s");
  EXPECT_FALSE(exists("out"));
}

TEST_F(Hang, of_a_peer_in_the_end_of_mpi_ends_the_others) {
  expect_ended(with_stuck(2, "MPI_Finalize:1:stop"),
               "[rank 0] closing MPI does not come back after 6 s");
  EXPECT_TRUE(exists("out/result.json"));  // --resume will say that there is nothing to do
}

TEST_F(Hang, inside_of_a_poll_is_seen_by_the_peers) {
  // It has come, so that its place alone does not tell that it is the one.
  expect_ended(
      with_stuck(2, "MPI_Test:1:hang", "2"),
      "[rank 0] agree #1 (reading the request, 8 B) not finished after 2 s; rank 1 last seen at "
      "#1 itself, ");
}

TEST_F(Hang, inside_of_every_poll_ends_each_rank) {
  expect_ended(script_on_ranks(2, concat("export KANTOR_STUCK=MPI_Test:$OMPI_COMM_WORLD_RANK:hang ",
                                         "LD_PRELOAD='", KANTOR_STUCK_MPI,
                                         "'; exec \"$KANTOR\" run problem.toml --out out --quiet ",
                                         "--set run.timeout_s=0.5")),
               "[rank 0] agree #1 (reading the request, 8 B) does not come back after 6 s");
}

TEST_F(Hang, of_the_abort_ends_a_rank_that_failed) {
  // Rank 1 stops in its first poll, rank 0 gives up on it, and cannot even say so to mpirun.
  expect_ended(
      script_on_ranks(
          2, concat("export LD_PRELOAD='", KANTOR_STUCK_MPI, "' KANTOR_STUCK=MPI_Abort:0:",
                    "hang; [ $OMPI_COMM_WORLD_RANK = 0 ] || export KANTOR_STUCK=MPI_Test:1:",
                    "stop; exec \"$KANTOR\" run problem.toml --out out --quiet --set ",
                    "run.timeout_s=0.5")),
      "[rank 0] ending all ranks after agree #1 (reading the request, 8 B) does not come "
      "back after 6 s");
}

}  // namespace
}  // namespace kantor::test
