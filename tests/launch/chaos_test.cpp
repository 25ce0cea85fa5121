// Killed at any moment, again and again, a run ends with the bits of one that was left alone.

#include <signal.h>

#include <chrono>
#include <random>
#include <thread>

#include "runtime/core/error.hpp"
#include "tests/launch/interrupted.hpp"

namespace kantor::test {
namespace {

constexpr int kNumKills = 10;
constexpr int kSteps = 1200;
const std::vector<std::string> kSettings = {concat("solver.neural.steps=", kSteps),
                                            "solver.neural.log_every=1",
                                            "run.checkpoint.every_steps=5"};

class Chaos : public Interrupted {
 protected:
  /// A kill comes while the run starts, or at some step after the newest checkpoint.
  void wait_for_a_moment(std::mt19937& random) const {
    if (random() % 3 == 0) {
      // Not to synchronise: any moment will do, from before MPI is up to after the first steps.
      std::this_thread::sleep_for(std::chrono::milliseconds(random() % 500));
      return;
    }
    const auto steps = saved_steps("out");
    const std::int64_t goal = (steps.empty() ? 0 : steps.back()) + 1 + random() % 40;
    EXPECT_TRUE(becomes_true([&] { return reached("out", "train") >= goal; }, kPatience_s));
  }
};

TEST_F(Chaos, of_kills_leaves_the_bits_of_an_undisturbed_run) {
  const ProcessOutcome whole = run("whole", kThreeProcesses, kSettings);
  ASSERT_LE(whole.exit_code, 4) << whole.err;
  std::mt19937 random(20240607);
  for (int i = 0; i < kNumKills; ++i) {
    const auto process = start_run("out", kThreeProcesses, kSettings, {"--resume", "--quiet"});
    ASSERT_TRUE(becomes_true([&] { return processes().size() == 3; }, kPatience_s));
    const auto ranks = processes();
    wait_for_a_moment(random);
    const int victim = static_cast<int>(random() % 3);
    ASSERT_EQ(kill(ranks.at(victim), SIGKILL), 0) << "kill " << i << ": the run had ended";
    const ProcessOutcome killed = process->wait(kPatience_s);
    EXPECT_FALSE(killed.timed_out);
    EXPECT_TRUE(killed.exit_code == 75 || killed.exit_code >= 128)
        << "kill " << i << " of rank " << victim << ": " << killed.exit_code << killed.err;
    EXPECT_TRUE(becomes_true([&] { return processes().empty(); }, 5)) << "kill " << i;
    EXPECT_FALSE(exists("out/result.json"));
  }
  const ProcessOutcome last = resume("out", kThreeProcesses, kSettings);
  EXPECT_EQ(last.exit_code, whole.exit_code) << last.err;
  EXPECT_NE(last.err.find("resumed from step"), std::string::npos) << last.err;
  expect_same_results("whole", "out");
  expect_whole_metrics("out", "train", kSteps);
  for (const auto& [name, text] : contents("out")) {
    EXPECT_EQ(name.find(".tmp"), std::string::npos) << name;
  }
}

}  // namespace
}  // namespace kantor::test
