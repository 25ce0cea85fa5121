// launch/supervise.sh with a look-alike of mpirun, and with mpirun itself.

#include <gmock/gmock.h>
#include <signal.h>

#include <filesystem>
#include <fstream>

#include "runtime/core/error.hpp"
#include "tests/launch/interrupted.hpp"

namespace kantor::test {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

using Words = std::vector<std::string>;

class Supervise : public Interrupted {
 protected:
  Supervise() { std::filesystem::create_directory(folder().path() / "out"); }

  /// What the launcher does, in bash; nothing is waited for once its run is over.
  std::unique_ptr<Process> start(const std::string& launcher) const {
    write("launcher.sh", "trap 'echo USR1 >> signals; touch asked' USR1\n" + launcher);
    return std::make_unique<Process>(
        Words{"env", "KANTOR_GRACE_S=0", "bash", KANTOR_SOURCE "/launch/supervise.sh", "out",
              "bash", "launcher.sh"},
        folder().path().string());
  }
  ProcessOutcome run(const std::string& launcher) const {
    return start(launcher)->wait(kPatience_s);
  }
  void expect_ended(const std::string& launcher, const std::string& reason) const {
    const ProcessOutcome outcome = run(launcher);
    EXPECT_FALSE(outcome.timed_out);
    EXPECT_EQ(outcome.exit_code, 75) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr(reason));
    EXPECT_THAT(outcome.err, HasSubstr("has not ended within 0 s: ending it"));
  }
};

constexpr const char* kFail = "echo '{\"state\": \"failed\"}' > out/STATUS; ";
constexpr const char* kForEver = "while :; do sleep 0.1; done\n";
/// Not for ever: a supervisor that a signal ends leaves it alone, and its test must fail then.
constexpr const char* kUntilAsked =
    "for _ in {1..1000}; do [ -e asked ] && break; sleep 0.01; done; ";
/// Looks at it are a second apart.
constexpr const char* kForAWhile = "sleep 6\n";

TEST_F(Supervise, returns_the_code_of_the_command_and_75_for_a_killed_one) {
  for (const int code : {0, 1, 4, 70, 74, 75, 78}) {
    EXPECT_EQ(run(concat("exit ", code)).exit_code, code);
  }
  for (const std::string end : {"exit 137", "kill -KILL $$", "kill -SEGV $$"}) {
    EXPECT_EQ(run(end).exit_code, 75) << end;
  }
}

TEST_F(Supervise, ends_a_launcher_that_outlives_its_run) {
  expect_ended(concat(kFail, kForEver), "the run says \"failed\"");
  EXPECT_FALSE(exists("asked"));
}

TEST_F(Supervise, ends_one_that_is_deaf_too) {
  expect_ended(concat("trap '' TERM; ", kFail, kForEver), "the run says \"failed\"");
}

TEST_F(Supervise, ends_a_launcher_without_ranks) {
  expect_ended(concat("OMPI_COMM_WORLD_RANK=0 ", kForAWhile, kForEver),
               "its ranks of this host are gone");
}

TEST_F(Supervise, leaves_a_run_alone_that_failed_when_it_was_started_before) {
  write("out/STATUS", "{\"state\": \"failed\"}");
  EXPECT_EQ(run(concat(kForAWhile, "exit 4")).exit_code, 4);
}

TEST_F(Supervise, asks_the_run_to_stop_once_whatever_asks) {
  for (const int number : {SIGUSR1, SIGTERM, SIGHUP, SIGINT}) {
    const auto process = start(concat("touch started; ", kUntilAsked, "exit 75\n"));
    ASSERT_TRUE(becomes_true([&] { return exists("started"); }, kPatience_s));
    process->send(number);
    process->send(SIGUSR1);
    EXPECT_EQ(process->wait(kPatience_s).exit_code, 75);
    EXPECT_EQ(read("signals"), "USR1\n") << number;
    for (const char* name : {"signals", "asked", "started"}) {
      std::filesystem::remove(folder().path() / name);
    }
  }
}

TEST_F(Supervise, starts_nothing_once_it_was_asked_to_stop) {
  std::filesystem::create_directory(folder().path() / "tools");
  write("tools/stat",
        "#!/bin/bash\nread -r _ _ _ parent _ </proc/$PPID/stat\nkill -TERM $parent\n");
  std::filesystem::permissions(folder().path() / "tools/stat", std::filesystem::perms::owner_all);
  const ProcessOutcome outcome =
      run_process({"env", "PATH=tools:/usr/bin:/bin", "bash", KANTOR_SOURCE "/launch/supervise.sh",
                   "out", "touch", "started"},
                  folder().path().string(), kPatience_s);
  EXPECT_EQ(outcome.exit_code, 75) << outcome.err;
  EXPECT_FALSE(exists("started"));
}

TEST_F(Supervise, ends_the_command_at_the_second_ctrl_c) {
  const auto process = start(concat("touch started; ", kForEver));
  ASSERT_TRUE(becomes_true([&] { return exists("started"); }, kPatience_s));
  process->send(SIGINT);
  ASSERT_TRUE(becomes_true([&] { return exists("asked"); }, kPatience_s));
  process->send(SIGINT);
  EXPECT_EQ(process->wait(kPatience_s).exit_code, 75);
}

/// A rank's own shared memory and a data file of the user that it has mapped lie in one folder.
TEST_F(Supervise, leaves_data_files_in_shared_memory_alone) {
  const std::string name = "/dev/shm/kantor_test." + folder().path().filename().string();
  const std::string data = name + ".npy";
  const std::string segment = name + ".segment";
  for (const std::string& path : {data, segment}) std::ofstream(path) << std::string(4096, 'x');
  write("rank.py", concat("import mmap, time\n", "data = open('", data, "', 'rb')\n",
                          "mine = open('", segment, "', 'r+b')\n",
                          "a = mmap.mmap(data.fileno(), 4096, mmap.MAP_PRIVATE, mmap.PROT_READ)\n",
                          "b = mmap.mmap(mine.fileno(), 4096)\n", "time.sleep(6)\n"));
  EXPECT_EQ(run("OMPI_COMM_WORLD_RANK=0 python3 rank.py").exit_code, 0);
  EXPECT_TRUE(std::filesystem::remove(data));
  EXPECT_FALSE(std::filesystem::remove(segment));
}

TEST_F(Supervise, refuses_a_grace_that_is_no_number) {
  const ProcessOutcome outcome =
      run_process({"env", "KANTOR_GRACE_S=1m", "bash", KANTOR_SOURCE "/launch/supervise.sh", "out",
                   "touch", "started"},
                  folder().path().string(), kPatience_s);
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("KANTOR_GRACE_S is 1m"));
  EXPECT_FALSE(exists("started"));
}

TEST_F(Supervise, needs_a_run_directory_and_a_command) {
  const ProcessOutcome outcome =
      run_process({"bash", KANTOR_SOURCE "/launch/supervise.sh", "out"}, ".", kPatience_s);
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_THAT(outcome.err, StartsWith("usage: supervise.sh"));
}

pid_t parent_of(pid_t pid) {
  std::ifstream stream(concat("/proc/", pid, "/status"));
  for (std::string word; stream >> word;) {
    if (word == "PPid:" && stream >> pid) return pid;
  }
  return 0;
}

/// Shared memory that a process has mapped.
Words segments_of(pid_t pid) {
  std::ifstream stream(concat("/proc/", pid, "/maps"));
  Words segments;
  for (std::string line; std::getline(stream, line);) {
    const auto at = line.find("/dev/shm/");
    if (at != std::string::npos && line.find(' ', at) == std::string::npos) {
      segments.push_back(line.substr(at));
    }
  }
  return segments;
}

/// Whether a supervisor, which looks once a second, has seen it: its notes are of mktemp.
bool is_noted(const std::string& segment) {
  for (const auto& entry :
       std::filesystem::directory_iterator(std::filesystem::temp_directory_path())) {
    if (!entry.path().filename().string().starts_with("tmp.")) continue;
    std::ifstream stream(entry.path());
    for (std::string line; std::getline(stream, line);) {
      if (line == segment) return true;
    }
  }
  return false;
}

TEST_F(Supervise, removes_what_a_killed_mpirun_leaves_in_shared_memory) {
  write("go.sh", concat(". '", KANTOR_SOURCE, "/launch/environment.sh'\nexec bash '", KANTOR_SOURCE,
                        "/launch/supervise.sh' out mpirun -np 2 '", KANTOR_BINARY,
                        "' run problem.toml --out out --quiet --set solver.neural.steps=100000000 ",
                        "--set solver.neural.log_every=1000\n"));
  Process process({"bash", "go.sh"}, folder().path().string());
  ASSERT_TRUE(becomes_true([&] { return reached("out", "train") > 4000; }, kPatience_s));
  const pid_t rank = processes().at(0);
  const Words segments = segments_of(rank);
  ASSERT_FALSE(segments.empty());
  for (const std::string& segment : segments) {
    ASSERT_TRUE(becomes_true([&] { return is_noted(segment); }, kPatience_s)) << segment;
  }
  ASSERT_EQ(kill(parent_of(rank), SIGKILL), 0);
  const ProcessOutcome outcome = process.wait(kPatience_s);
  EXPECT_EQ(outcome.exit_code, 75) << outcome.err;
  EXPECT_TRUE(processes().empty());
  for (const std::string& segment : segments) EXPECT_FALSE(std::filesystem::exists(segment));
}

}  // namespace
}  // namespace kantor::test
