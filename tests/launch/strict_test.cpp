// run.deterministic = "strict": the same bits on 1, 2, 4 and 8 processes.

#include "tests/launch/launch_fixture.hpp"

namespace kantor::test {
namespace {

const std::string kStrict = "run.deterministic=\"strict\"";

class Strict : public Launch {
 protected:
  Strict() { write_small_problem(); }

  ProcessOutcome run_on(int num_processes, const std::string& out,
                        std::vector<std::string> more = {}) const {
    std::vector<std::string> words = {
        "run",   "problem.toml",         "--quiet", "--out", out, "--set", kStrict,
        "--set", "run.precision=float32"};
    words.insert(words.end(), more.begin(), more.end());
    return num_processes == 1 ? kantor(words) : kantor_on_ranks(num_processes, words);
  }

  void expect_same_bits(const std::string& run, const std::string& expected,
                        const std::vector<std::string>& files) const {
    for (const std::string& file : files) {
      EXPECT_TRUE(read(run + "/" + file) == read(expected + "/" + file)) << run << "/" << file;
      EXPECT_FALSE(read(run + "/" + file).empty()) << file;
    }
  }
};

TEST_F(Strict, gives_the_same_bits_on_every_number_of_processes) {
  const int code = run_on(1, "on1").exit_code;
  for (const int num_processes : {2, 4, 8}) {
    const std::string out = "on" + std::to_string(num_processes);
    const ProcessOutcome outcome = run_on(num_processes, out);
    EXPECT_EQ(outcome.exit_code, code) << outcome.err;
    expect_same_bits(out, "on1",
                     {"potentials/0.npy", "potentials/1.npy", "certificate/0.npy",
                      "certificate/1.npy", "model.safetensors", "model.json"});
  }
}

TEST_F(Strict, gives_the_same_bits_by_sinkhorn) {
  const std::vector<std::string> sinkhorn = {"--set", "solver.name=sinkhorn"};
  run_on(1, "on1", sinkhorn);
  run_on(2, "on2", sinkhorn);
  expect_same_bits("on2", "on1", {"potentials/0.npy", "potentials/1.npy"});
}

TEST_F(Strict, refuses_what_it_cannot_spread) {
  const ProcessOutcome outcome = run_on(3, "on3");
  expect_refused(outcome, 78, {"strict", "3", "1, 2, 4 or 8"});
  expect_run_refused(78, {"strict", "thread"}, {"--set", kStrict, "--set", "run.backend=thread"});
  expect_run_refused(78, {"run.deterministic", "maybe", "strict"},
                     {"--set", "run.deterministic=maybe"});
}

}  // namespace
}  // namespace kantor::test
