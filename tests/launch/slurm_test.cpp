// launch/slurm/kantor.sbatch with look-alikes of scontrol and mpirun in PATH.

#include <gmock/gmock.h>
#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "runtime/core/error.hpp"
#include "tests/launch/interrupted.hpp"

namespace kantor::test {
namespace {

using testing::HasSubstr;
using testing::Not;

using Words = std::vector<std::string>;

std::string text_of(const char* path) {
  std::ifstream stream(path);
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

class Slurm : public Interrupted {
 protected:
  Slurm() {
    tool("scontrol", "echo \"$*\" >> scontrol.calls");
    // Saves a checkpoint, counts what it is sent, and ends with the code in the file "code".
    tool("mpirun",
         "echo \"$*\" >> mpirun.calls\n"
         "trap 'echo USR1 >> signals; touch asked' USR1\n"
         "mkdir -p out/checkpoints\n"
         "[ -e stuck ] || touch \"out/checkpoints/step-0000000${SLURM_RESTART_COUNT:-0}.kantor\"\n"
         "touch started\n"
         "if [ -e endless ]; then while [ ! -e asked ]; do sleep 0.01; done; fi\n"
         "while [ -e wait ]; do sleep 0.01; done\n"
         "exit \"$(cat code)\"");
  }

  void tool(const std::string& name, const std::string& script) const {
    write(name, "#!/bin/bash\n" + script + "\n");
    std::filesystem::permissions(folder().path() / name, std::filesystem::perms::owner_all);
  }
  Words job(const Words& variables = {}, const Words& more = {}) const {
    Words command = {"env", concat("PATH=", folder().path().string(), ":/usr/bin:/bin"),
                     "SLURM_JOB_ID=77"};
    command.insert(command.end(), variables.begin(), variables.end());
    command.insert(command.end(), {"bash", KANTOR_SOURCE "/launch/slurm/kantor.sbatch",
                                   "problem.toml", "out", "--quiet"});
    command.insert(command.end(), more.begin(), more.end());
    return command;
  }
  ProcessOutcome run_job(int code, const Words& variables = {}) const {
    write("code", std::to_string(code));
    std::filesystem::remove(folder().path() / "scontrol.calls");
    return run_process(job(variables), folder().path().string(), kPatience_s);
  }
  std::string requeues() const { return exists("scontrol.calls") ? read("scontrol.calls") : ""; }
};

TEST_F(Slurm, job_resumes_and_queues_itself_again_after_75) {
  const ProcessOutcome outcome = run_job(75);
  EXPECT_EQ(outcome.exit_code, 75) << outcome.err;
  EXPECT_EQ(requeues(), "requeue 77\n");
  EXPECT_EQ(read("mpirun.calls"), "kantor run problem.toml --out out --resume --quiet\n");
}

TEST_F(Slurm, job_is_not_queued_again_after_any_other_code) {
  for (const int code : {0, 1, 2, 3, 4, 70, 74, 78}) {
    const ProcessOutcome outcome = run_job(code, {concat("SLURM_RESTART_COUNT=", code % 10)});
    EXPECT_EQ(outcome.exit_code, code);
    EXPECT_EQ(requeues(), "") << code;
  }
}

TEST_F(Slurm, job_resumes_after_a_killed_rank) {
  EXPECT_EQ(run_job(137).exit_code, 75);
  EXPECT_EQ(requeues(), "requeue 77\n");
}

TEST_F(Slurm, job_stops_after_the_most_restarts) {
  const std::string most = "KANTOR_MAX_RESTARTS=2";
  EXPECT_EQ(run_job(75, {most, "SLURM_RESTART_COUNT=1"}).exit_code, 75);
  EXPECT_EQ(requeues(), "requeue 77\n");
  const ProcessOutcome last = run_job(75, {most, "SLURM_RESTART_COUNT=2"});
  EXPECT_EQ(requeues(), "");
  EXPECT_THAT(last.out, HasSubstr("not queued again after 2 restarts"));
}

TEST_F(Slurm, job_stops_without_progress) {
  run_job(75);
  write("stuck", "");
  const ProcessOutcome outcome = run_job(75, {"SLURM_RESTART_COUNT=1"});
  EXPECT_EQ(outcome.exit_code, 75);
  EXPECT_EQ(requeues(), "");
  EXPECT_THAT(outcome.out, HasSubstr("no progress since step-00000000.kantor"));
}

TEST_F(Slurm, job_stops_without_a_first_checkpoint) {
  write("stuck", "");
  const ProcessOutcome outcome = run_job(75);
  EXPECT_EQ(outcome.exit_code, 75) << outcome.err;
  EXPECT_EQ(requeues(), "");
  EXPECT_THAT(outcome.out, HasSubstr("no progress since the start"));
}

TEST_F(Slurm, job_stops_at_a_stop_file) {
  std::filesystem::create_directory(folder().path() / "out");
  write("out/STOP", "");
  EXPECT_THAT(run_job(75).out, HasSubstr("remove out/STOP first"));
  EXPECT_EQ(requeues(), "");
}

TEST_F(Slurm, job_hands_the_signal_on_once_and_waits_for_the_run) {
  write("code", "75");
  write("endless", "");
  write("wait", "");
  Process process(job(), folder().path().string());
  ASSERT_TRUE(becomes_true([&] { return exists("started"); }, kPatience_s));
  process.send(SIGUSR1);
  ASSERT_TRUE(becomes_true([&] { return exists("asked"); }, kPatience_s));
  process.send(SIGUSR1);  // Slurm and a person: the run knows already
  std::filesystem::remove(folder().path() / "wait");
  const ProcessOutcome outcome = process.wait(kPatience_s);
  EXPECT_EQ(outcome.exit_code, 75) << outcome.err;
  EXPECT_EQ(read("signals"), "USR1\n");
  EXPECT_EQ(requeues(), "requeue 77\n");
}

TEST_F(Slurm, job_that_is_cancelled_saves_and_is_not_queued_again) {
  write("code", "75");
  write("endless", "");
  Process process(job(), folder().path().string());
  ASSERT_TRUE(becomes_true([&] { return exists("started"); }, kPatience_s));
  process.send(SIGTERM);
  const ProcessOutcome outcome = process.wait(kPatience_s);
  EXPECT_EQ(outcome.exit_code, 75) << outcome.err;
  EXPECT_EQ(read("signals"), "USR1\n");
  EXPECT_THAT(outcome.out, HasSubstr("not queued again after SIGTERM"));
  EXPECT_EQ(requeues(), "");
}

TEST_F(Slurm, job_without_the_script_that_watches_is_refused) {
  write("copy", text_of(KANTOR_SOURCE "/launch/slurm/kantor.sbatch"));
  const auto run_copy = [&](const Words& variables) {
    Words command = job(variables);
    *std::find(command.begin(), command.end(), KANTOR_SOURCE "/launch/slurm/kantor.sbatch") =
        "./copy";
    return run_process(command, folder().path().string(), kPatience_s);
  };
  write("code", "0");
  const ProcessOutcome outcome = run_copy({});
  EXPECT_EQ(outcome.exit_code, 78);
  EXPECT_THAT(outcome.err, HasSubstr("submit from kantor's folder"));
  EXPECT_EQ(run_copy({"SLURM_SUBMIT_DIR=" KANTOR_SOURCE}).exit_code, 0);
  EXPECT_EQ(run_copy({"KANTOR_SUPERVISE=" KANTOR_SOURCE "/launch/supervise.sh"}).exit_code, 0);
}

TEST_F(Slurm, job_returns_the_code_of_a_run_that_finishes_all_the_same) {
  write("code", "0");
  write("endless", "");
  Process process(job(), folder().path().string());
  ASSERT_TRUE(becomes_true([&] { return exists("started"); }, kPatience_s));
  process.send(SIGUSR1);
  EXPECT_EQ(process.wait(kPatience_s).exit_code, 0);
  EXPECT_EQ(requeues(), "");
}

TEST_F(Slurm, job_needs_a_problem_and_a_run_directory) {
  const ProcessOutcome outcome =
      run_process({"bash", KANTOR_SOURCE "/launch/slurm/kantor.sbatch", "problem.toml"},
                  folder().path().string(), kPatience_s);
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("usage: sbatch"));
  EXPECT_FALSE(exists("mpirun.calls"));
}

/// The program itself, stopped by its job and finished by the next one.
TEST_F(Slurm, jobs_finish_a_run_one_after_the_other) {
  const Words settings = {"solver.neural.steps=60000", "solver.neural.log_every=10"};
  const ProcessOutcome whole = run("whole", kAlone, settings);
  Words more;
  for (const std::string& setting : settings) more.insert(more.end(), {"--set", setting});
  const Words variables = {concat("KANTOR=", KANTOR_BINARY), "KANTOR_LAUNCHER="};
  Process first(job(variables, more), folder().path().string());
  ASSERT_TRUE(becomes_true([&] { return reached("out", "train") > 0; }, kPatience_s));
  first.send(SIGUSR1);
  expect_stopped(first.wait(kPatience_s), "out", "SIGUSR1");
  EXPECT_EQ(requeues(), "requeue 77\n");
  const ProcessOutcome second =
      run_process(job(variables, more), folder().path().string(), kPatience_s);
  EXPECT_EQ(second.exit_code, whole.exit_code) << second.err;
  expect_same_results("whole", "out");
  EXPECT_EQ(requeues(), "requeue 77\n");
}

}  // namespace
}  // namespace kantor::test
