// Checkpoints that cannot be written: training warns and goes on, three in a row end it, and older
// files stay as they are.

#include <gmock/gmock.h>

#include <filesystem>

#include "runtime/core/error.hpp"
#include "tests/launch/interrupted.hpp"

namespace kantor::test {
namespace {

using testing::HasSubstr;
using testing::Not;

using Words = std::vector<std::string>;

/// A checkpoint of these is 400 kB: parameters, two moments, the average, in float64.
const Words kWide = {"solver.neural.steps=60", "solver.neural.network.width=[100, 100]",
                     "run.checkpoint.every_steps=10", "run.checkpoint.keep=100"};

class SaveFailure : public Interrupted {
 protected:
  /// On a "disk" where no file grows beyond 64 kB: logs do fit, checkpoints do not.
  ProcessOutcome resume_on_a_small_disk(int num_ranks) const {
    return script_on_ranks(
        num_ranks, "ulimit -f 64; exec \"$KANTOR\"" + [] {
          std::string all;
          for (const std::string& word : words("out", kAlone, kWide, {"--resume"})) {
            all += " '" + word + "'";
          }
          return all;
        }());
  }
};

TEST_F(SaveFailure, three_in_a_row_end_the_run_and_leave_older_files) {
  const ProcessOutcome whole = run("whole", kTwoProcesses, kWide);
  ASSERT_LE(whole.exit_code, 4) << whole.err;
  cut("whole", "out", 20);
  ASSERT_GT(std::filesystem::file_size(folder().file(checkpoint("out", 20))), 100000u);
  const auto before = contents("out/checkpoints");
  const ProcessOutcome outcome = resume_on_a_small_disk(2);
  expect_refused(outcome, 74, {"checkpoint of step 50", "3 of 3 in a row", "File too large"});
  for (const std::string said : {"warning: checkpoint of step 30 could not be written (1 of 3",
                                 "warning: checkpoint of step 40 could not be written (2 of 3"}) {
    EXPECT_THAT(outcome.err, HasSubstr(said));
    EXPECT_THAT(read("out/log.txt"), HasSubstr(said));
  }
  EXPECT_EQ(json("out/STATUS").at("state"), "failed");
  EXPECT_TRUE(contents("out/checkpoints") == before);

  // Once there is space again it goes on from there.
  const ProcessOutcome resumed = resume("out", kTwoProcesses, kWide);
  EXPECT_EQ(resumed.exit_code, whole.exit_code) << resumed.err;
  EXPECT_THAT(resumed.err, HasSubstr("resumed from step 20"));
  expect_same_results("whole", "out");
}

TEST_F(SaveFailure, that_passes_costs_nothing_but_a_warning) {
  const Words settings = {"solver.neural.steps=8000", "solver.neural.log_every=1000",
                          "run.checkpoint.every_steps=1000"};
  const ProcessOutcome whole = run("whole", kAlone, settings);
  const auto process = start_run("out", kAlone, settings);
  const auto folder_of = [&](const char* name) { return folder().path() / "out" / name; };
  ASSERT_TRUE(becomes_true([&] { return exists(checkpoint("out", 0)); }, kPatience_s));
  // Something else is in its place for one save.
  std::filesystem::rename(folder_of("checkpoints"), folder_of("aside"));
  write("out/checkpoints", "");
  EXPECT_TRUE(process->says("could not be written (1 of 3 in a row)", kPatience_s));
  std::filesystem::remove(folder_of("checkpoints"));
  std::filesystem::rename(folder_of("aside"), folder_of("checkpoints"));
  const ProcessOutcome outcome = process->wait(kPatience_s);
  EXPECT_EQ(outcome.exit_code, whole.exit_code) << outcome.err;
  EXPECT_THAT(outcome.err, Not(HasSubstr("(3 of 3")));
  expect_same_results("whole", "out");
  EXPECT_EQ(saved_steps("out").back(), 8000);
}

TEST_F(SaveFailure, at_a_stop_is_not_passed_over) {
  const Words endless = {"solver.neural.steps=100000000", "solver.neural.log_every=1"};
  const auto process = start_run("out", kAlone, endless, {});
  ASSERT_TRUE(becomes_true([&] { return reached("out", "train") > 0; }, kPatience_s));
  std::filesystem::rename(folder().path() / "out/checkpoints", folder().path() / "out/aside");
  write("out/checkpoints", "");
  process->send(SIGTERM);
  const ProcessOutcome outcome = process->wait(kPatience_s);
  EXPECT_EQ(outcome.exit_code, 75) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("warning: the newest checkpoint is of step 0"));
  EXPECT_THAT(outcome.err, Not(HasSubstr("the state is saved")));
}

}  // namespace
}  // namespace kantor::test
