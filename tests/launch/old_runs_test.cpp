// Run folders that an earlier program left (golden/old_runs, made by record.sh there): the stopped
// ones go on to the bits that it came to itself, the finished ones can be asked.

#include <filesystem>

#include "runtime/checkpoint/checkpoint_file.hpp"
#include "runtime/core/error.hpp"
#include "tests/launch/interrupted.hpp"

namespace kantor::test {
namespace {

namespace fs = std::filesystem;

class OldRuns : public Interrupted, public testing::WithParamInterface<const char*> {
 protected:
  OldRuns() {
    setenv("KANTOR_INSTRUCTION_SET", "portable", 1);
    setenv("MKL_CBWR", "COMPATIBLE", 1);
    fs::copy(fs::path(KANTOR_SOURCE) / "tests/launch/golden/old_runs" / GetParam(), folder().path(),
             fs::copy_options::recursive);
  }

  /// Every array and model file of the folder `expected` is in `out`, byte for byte.
  void expect_same_files(const std::string& out, const std::string& expected) const {
    int num_files = 0;
    const fs::path root = folder().path() / expected;
    for (const auto& entry : fs::recursive_directory_iterator(root)) {
      const std::string name = fs::relative(entry.path(), root).string();
      if (!name.ends_with(".npy") && !name.ends_with(".safetensors")) continue;
      EXPECT_TRUE(read(out + "/" + name) == read(expected + "/" + name)) << name << " differs";
      ++num_files;
    }
    EXPECT_GE(num_files, 2);
  }
  /// Without what the memory was planned to be, which later programs know better.
  nlohmann::ordered_json result_of(const std::string& out) const {
    auto result = without_times(nlohmann::ordered_json::parse(read(out + "/result.json")));
    if (result.contains("storage")) result["storage"].erase("bytes_per_rank");
    return result;
  }
};

TEST_P(OldRuns, go_on_to_the_bits_that_they_came_to) {
  const ProcessOutcome outcome =
      kantor({"run", "stopped/problem.toml", "--out", "stopped", "--resume"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_NE(read("stopped/log.txt").find("resumed from step "), std::string::npos);
  expect_same_files("stopped", "finished");
  const auto mine = result_of("stopped");
  const auto expected = result_of("finished");
  EXPECT_TRUE(mine == expected) << nlohmann::ordered_json::diff(expected, mine).dump(1);
}

/// Keys of the table that this solver reads, and of one that it does not.
struct Settings {
  std::string read, said, unread;
};
Settings settings_of(const std::string& run) {
  if (run == "neural") {
    return {"solver.neural.steps=70", "solver.neural.steps was 60 and is 70",
            "solver.sinkhorn.tolerance=0.5"};
  }
  return {"solver.sinkhorn.tolerance=1e-5", "solver.sinkhorn.tolerance was 1e-06 and is 1e-05",
          "solver.neural.steps=70"};
}

TEST_P(OldRuns, refuse_other_settings_of_what_they_read_alone) {
  const Settings settings = settings_of(GetParam());
  for (const char* out : {"stopped", "finished"}) {
    const Words words = {"run", concat(out, "/problem.toml"), "--out", out, "--resume"};
    Words changed = words;
    changed.insert(changed.end(), {"--set", settings.read});
    expect_refused(kantor(changed), 78, {settings.said});
    Words unread = words;
    unread.insert(unread.end(), {"--set", settings.unread});
    const ProcessOutcome outcome = kantor(unread);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  }
  expect_same_files("stopped", "finished");
}

/// As an update leaves a run that it gives keys: the stored settings lack some of this program's.
TEST_P(OldRuns, go_on_where_their_settings_lack_a_key) {
  const fs::path newest = folder().path() / checkpoint("stopped", saved_steps("stopped").back());
  checkpoint::Snapshot snapshot = checkpoint::read_checkpoint(newest.string());
  std::string& text = snapshot.metadata.config_text;
  for (const char* key : {"\ncertificate_iterations = ", "\nmax_iterations = "}) {
    const auto begin = text.find(key);
    ASSERT_NE(begin, std::string::npos) << text;
    text.erase(begin, text.find('\n', begin + 1) - begin);
  }
  snapshot.metadata.config_hash ^= 1;
  checkpoint::write_checkpoint(newest.string(), snapshot);
  const Words words = {"run", "stopped/problem.toml", "--out", "stopped", "--resume"};
  for (const std::string key :
       {"solver.neural.certificate_iterations=9", "solver.sinkhorn.max_iterations=9"}) {
    const bool is_read = (GetParam() == std::string("neural")) == key.starts_with("solver.neural");
    Words changed = words;
    changed.insert(changed.end(), {"--set", key});
    if (is_read) expect_refused(kantor(changed), 78, {key.substr(0, key.find('=')), "and is 9"});
  }
  const ProcessOutcome outcome = kantor(words);
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  expect_same_files("stopped", "finished");
}

TEST_P(OldRuns, can_be_inspected_and_evaluated) {
  const ProcessOutcome told = kantor({"inspect", "finished"});
  ASSERT_EQ(told.exit_code, 0) << told.err;
  EXPECT_NE(told.out.find("dual_value"), std::string::npos) << told.out;
  EXPECT_EQ(told.out.find("DAMAGED"), std::string::npos) << told.out;
  const std::string points =
      std::string(KANTOR_SOURCE) + "/tests/launch/golden/old_runs/points.npy";
  const ProcessOutcome outcome =
      kantor({"eval", "finished", "--points", points, "--out", "evaluated"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  expect_same_files("evaluated", "eval");
}

INSTANTIATE_TEST_SUITE_P(EachSolver, OldRuns,
                         testing::Values("neural", "sinkhorn", "divergence", "progot"),
                         [](const auto& each) { return std::string(each.param); });

}  // namespace
}  // namespace kantor::test
