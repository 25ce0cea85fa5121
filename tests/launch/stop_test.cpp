// Who may stop a run: it saves the state of one step on all ranks, returns 75, and goes on later as
// if nothing had been.

#include <signal.h>

#include <ctime>
#include <filesystem>
#include <fstream>

#include "runtime/core/error.hpp"
#include "tests/launch/interrupted.hpp"

namespace kantor::test {
namespace {

using Words = std::vector<std::string>;

/// Seconds of steps, so that a request comes in the middle of them.
constexpr std::int64_t kSteps = 30000;
const Words kLong = {concat("solver.neural.steps=", kSteps), "solver.neural.log_every=10",
                     "run.checkpoint.every_steps=7500", "solver.neural.certificate_iterations=20"};
/// Ends by request alone.
const Words kEndless = {"solver.neural.steps=100000000", "solver.neural.log_every=1000"};

class Stop : public Interrupted {
 protected:
  bool is_training(const std::string& out) const {
    return becomes_true([&] { return reached(out, "train") > 0; }, kPatience_s);
  }
  /// Asks in some way while it trains, sees it stop, and go on to the same bits.
  void expect_stop(const Placement& where, const std::function<void(const Process&)>& ask,
                   const std::string& reason) const {
    const ProcessOutcome whole = run("whole", where, kLong);
    ASSERT_LE(whole.exit_code, 4) << whole.err;
    const auto process = start_run("out", where, kLong, {});
    ASSERT_TRUE(is_training("out"));
    ask(*process);
    const ProcessOutcome stopped = process->wait(kPatience_s);
    expect_stopped(stopped, "out", reason);
    const std::int64_t step = json("out/STATUS").at("step");
    EXPECT_LT(step, kSteps);
    EXPECT_NE(stopped.err.find(concat("stopped at step ", step, " by ", reason,
                                      "; the state is saved, --resume goes on")),
              std::string::npos)
        << stopped.err;
    if (exists("out/STOP")) {
      expect_refused(resume("out", where, kLong), 78, {"out/STOP", "remove it"});
      expect_stopped(stopped, "out", reason);
      std::filesystem::remove(folder().path() / "out/STOP");
    }
    const ProcessOutcome resumed = resume("out", where, kLong);
    EXPECT_EQ(resumed.exit_code, whole.exit_code) << resumed.err;
    EXPECT_NE(resumed.err.find(concat("resumed from step ", step)), std::string::npos);
    expect_same_results("whole", "out");
    expect_whole_metrics("out", "train", kSteps);
  }
  static std::function<void(const Process&)> by(int signal_number) {
    return [signal_number](const Process& process) { process.send(signal_number); };
  }
  std::function<void(const Process&)> by_file() const {
    return [this](const Process&) { write("out/STOP", ""); };
  }
};

constexpr const char* kByFile = "the file STOP in the run directory";

TEST_F(Stop, by_a_signal_to_mpirun_is_agreed_on_by_all_ranks) {
  expect_stop(kTwoProcesses, by(SIGUSR1), "SIGUSR1");
}
TEST_F(Stop, by_sigusr1_saves) { expect_stop(kAlone, by(SIGUSR1), "SIGUSR1"); }
TEST_F(Stop, by_sigterm_saves) { expect_stop(kAlone, by(SIGTERM), "SIGTERM"); }
TEST_F(Stop, by_a_closed_terminal_saves) { expect_stop(kAlone, by(SIGHUP), "SIGHUP"); }
TEST_F(Stop, by_ctrl_c_saves) { expect_stop(kAlone, by(SIGINT), "Ctrl-C"); }
TEST_F(Stop, of_ranks_that_are_threads_saves_once) {
  expect_stop(kTwoThreads, by(SIGTERM), "SIGTERM");
}
TEST_F(Stop, by_a_file_holds_until_it_is_removed) { expect_stop(kAlone, by_file(), kByFile); }
TEST_F(Stop, by_a_file_reaches_all_ranks) { expect_stop(kTwoProcesses, by_file(), kByFile); }

TEST_F(Stop, of_sinkhorn_saves_too) {
  const Words settings = {"solver.name=sinkhorn", "solver.sinkhorn.tolerance=0",
                          "solver.sinkhorn.max_iterations=50000"};
  const ProcessOutcome whole = run("whole", kTwoProcesses, settings);
  const auto process = start_run("out", kTwoProcesses, settings);
  ASSERT_TRUE(becomes_true([&] { return reached("out", "sinkhorn") > 0; }, kPatience_s));
  process->send(SIGUSR1);
  expect_stopped(process->wait(kPatience_s), "out", "SIGUSR1");
  EXPECT_EQ(resume("out", kTwoProcesses, settings).exit_code, whole.exit_code);
  expect_same_results("whole", "out");
}

TEST_F(Stop, of_the_solves_after_the_first_keeps_what_was_solved) {
  const std::int64_t num = 30000;
  const Words plain = {"solver.sinkhorn.tolerance=0",
                       concat("solver.sinkhorn.max_iterations=", num)};
  for (const auto& [phase, more] : std::map<std::string, Words>{
           {"sinkhorn yy", {"solver.name=sinkhorn", "solver.sinkhorn.divergence=true"}},
           {"progot, self",
            {"solver.name=progot", "solver.progot.steps=2", "solver.progot.first_tolerance=0",
             "solver.progot.debiased=true"}}}) {
    Words settings = plain;
    settings.insert(settings.end(), more.begin(), more.end());
    const std::string out = phase.substr(0, 6);
    const ProcessOutcome whole = run(out + "-whole", kAlone, settings);
    const auto process = start_run(out, kAlone, settings);
    ASSERT_TRUE(becomes_true([&] { return reached(out, phase) > 0; }, kPatience_s));
    process->send(SIGUSR1);
    expect_stopped(process->wait(kPatience_s), out, "SIGUSR1");
    EXPECT_GT(json(out + "/STATUS").at("step"), num);
    std::filesystem::remove(folder().path() / out / "metrics.jsonl");
    EXPECT_EQ(resume(out, kAlone, settings).exit_code, whole.exit_code);
    expect_same_results(out + "-whole", out);
    // The solve before is not made again.
    EXPECT_EQ(reached(out, "sinkhorn"), -1);
    EXPECT_EQ(reached(out, "progot 1/2"), -1);
    if (!exists(out + "/divergence")) continue;
    EXPECT_TRUE(read(out + "/divergence/1.npy") == read(out + "-whole/divergence/1.npy"));
    EXPECT_EQ(json(out + "/result.json").at("divergence"),
              json(out + "-whole/result.json").at("divergence"));
  }
}

TEST_F(Stop, of_the_subsample_begins_again) {
  const Words settings = {"solver.name=sinkhorn", "solver.sinkhorn.warm_start=subsample",
                          "solver.sinkhorn.warm_start_points=30", "solver.sinkhorn.tolerance=0",
                          "solver.sinkhorn.max_iterations=3"};
  // A small epsilon, at which the tolerance of the subsample is out of reach.
  const Words endless = {"solver.name=sinkhorn", "solver.sinkhorn.warm_start=subsample",
                         "solver.sinkhorn.warm_start_points=30", "problem.epsilon=1e-6",
                         "solver.sinkhorn.max_iterations=100000000"};
  const auto process = start_run("out", kTwoProcesses, endless);
  ASSERT_TRUE(becomes_true([&] { return reached("out", "sinkhorn, subsample") > 0; }, kPatience_s));
  process->send(SIGUSR1);
  expect_stopped(process->wait(kPatience_s), "out", "SIGUSR1");
  EXPECT_EQ(saved_steps("out"), std::vector<std::int64_t>{0});
  // Refused by name: the checkpoint says whose it is.
  expect_refused(resume("out", kTwoProcesses, settings), 78, {"cannot go on", "epsilon"});
  const auto again = start_run("out", kTwoProcesses, endless, {"--resume"});
  ASSERT_TRUE(again->says("resumed from step 0", kPatience_s));
  again->send(SIGUSR1);
  expect_stopped(again->wait(kPatience_s), "out", "SIGUSR1");
}

TEST_F(Stop, during_the_certificate_keeps_the_trained_network) {
  const Words settings = {"solver.neural.steps=20", "solver.neural.certificate_tolerance=0",
                          "solver.neural.certificate_iterations=30000"};
  const ProcessOutcome whole = run("whole", kTwoProcesses, settings);
  const auto process = start_run("out", kTwoProcesses, settings);
  ASSERT_TRUE(becomes_true([&] { return reached("out", "certificate") > 0; }, kPatience_s));
  process->send(SIGUSR1);
  expect_stopped(process->wait(kPatience_s), "out", "SIGUSR1");
  EXPECT_EQ(json("out/STATUS").at("step"), 20);
  const ProcessOutcome resumed = resume("out", kTwoProcesses, settings);
  EXPECT_EQ(resumed.exit_code, whole.exit_code);
  EXPECT_NE(resumed.err.find("resumed from step 20"), std::string::npos) << resumed.err;
  expect_same_results("whole", "out");
  EXPECT_EQ(json("out/result.json").at("certificate"), json("whole/result.json").at("certificate"));
}

TEST_F(Stop, comes_by_itself_before_the_time_is_over) {
  Words limited = kEndless;
  limited.push_back("run.max_wall_s=1.5");
  expect_stopped(run("out", kTwoProcesses, limited), "out", "the end of its time");
  // As a batch job learns it from Slurm.
  const std::string end = concat("SLURM_JOB_END_TIME=", std::time(nullptr) + 2);
  Words command = {"env", end, KANTOR_BINARY};
  const Words more = words("job", kAlone, kEndless);
  command.insert(command.end(), more.begin(), more.end());
  expect_stopped(run_process(command, folder().path().string(), kPatience_s), "job",
                 "the end of its time");
}

/// Whether the process has a handler of its own for a signal.
bool catches(pid_t pid, int signal_number) {
  std::ifstream stream(concat("/proc/", pid, "/status"));
  for (std::string word; stream >> word;) {
    if (word != "SigCgt:") continue;
    stream >> word;
    return (std::stoull(word, nullptr, 16) >> (signal_number - 1) & 1) != 0;
  }
  return false;
}

TEST_F(Stop, asked_for_before_the_first_step_comes_after_it) {
  const auto process = start_run("out", kAlone, kEndless);
  ASSERT_TRUE(becomes_true([&] { return catches(process->pid(), SIGUSR1); }, kPatience_s));
  process->send(SIGUSR1);
  expect_stopped(process->wait(kPatience_s), "out", "SIGUSR1");
  EXPECT_EQ(json("out/STATUS").at("step"), 1);
}

TEST_F(Stop, under_nohup_is_not_by_a_closed_terminal) {
  Words command = {"nohup", KANTOR_BINARY};
  const Words more = words("out", kAlone, kEndless);
  command.insert(command.end(), more.begin(), more.end());
  Process process(command, folder().path().string());
  ASSERT_TRUE(is_training("out"));
  process.send(SIGHUP);  // ends nothing, so that the next one is the reason
  process.send(SIGUSR1);
  expect_stopped(process.wait(kPatience_s), "out", "SIGUSR1");
}

TEST_F(Stop, is_said_into_a_pipe_that_nobody_reads_any_more) {
  std::string script = concat("'", KANTOR_BINARY, "'");
  for (const std::string& word : words("out", kAlone, kEndless, {})) script += " '" + word + "'";
  script += " 2>&1 | { head -n 1 > first; exec <&-; touch closed; }; exit ${PIPESTATUS[0]}";
  Process process({"bash", "-c", script}, folder().path().string());
  ASSERT_TRUE(becomes_true([&] { return exists("closed"); }, kPatience_s));
  ASSERT_TRUE(is_training("out"));
  ASSERT_EQ(kill(processes().at(0), SIGTERM), 0);
  expect_stopped(process.wait(kPatience_s), "out", "SIGTERM");
}

TEST_F(Stop, twice_by_ctrl_c_does_not_wait_for_the_step) {
  // One iteration of many seconds: 10^10 pairs.
  const std::string cloud = "generator = { name = \"gaussian\", n = 100000, d = 2 }";
  write_problem("problem.toml", "0.5", cloud, cloud);
  const auto process = start_run("out", kAlone, {"solver.name=sinkhorn"});
  ASSERT_TRUE(becomes_true([&] { return exists(checkpoint("out", 0)); }, kPatience_s));
  process->send(SIGINT);
  EXPECT_TRUE(process->says("Ctrl-C once more ends at once", kPatience_s));
  process->send(SIGINT);
  const ProcessOutcome outcome = process->wait(kPatience_s);
  EXPECT_FALSE(outcome.timed_out);
  EXPECT_EQ(outcome.exit_code, 128 + SIGINT) << outcome.err;
  EXPECT_EQ(saved_steps("out"), std::vector<std::int64_t>{0});
}

}  // namespace
}  // namespace kantor::test
