// run.backend = "nccl" with the built binary: on the look-alike of CUDA and NCCL, whole and broken;
// and with the real libraries where there is no GPU. Each launch takes two seconds or more.

#include <gmock/gmock.h>

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "runtime/core/error.hpp"
#include "tests/launch/launch_fixture.hpp"

namespace kantor::test {
namespace {

using Json = nlohmann::json;
using testing::HasSubstr;
using testing::Not;

class Nccl : public Launch {
 protected:
  Nccl() { write_small_problem(); }

  /// On the look-alike. @param setting environment variables, as the shell wants them.
  ProcessOutcome run_on_ranks(int num_ranks, const std::string& setting,
                              const std::string& words = "") const {
    return script_on_ranks(
        num_ranks,
        concat("export ", setting, " LD_PRELOAD='", KANTOR_FAKE_GPU,
               "'; exec \"$KANTOR\" run problem.toml --out out --set run.backend=nccl ", words));
  }

  /// 75, one line that names the place; whatever number was reached, it was not reported as good.
  void expect_lost(const ProcessOutcome& outcome, const std::string& words) const {
    EXPECT_FALSE(outcome.timed_out);
    EXPECT_EQ(outcome.exit_code, 75) << outcome.err;
    const auto lines = error_lines(outcome.err);
    ASSERT_GE(lines.size(), 1u) << outcome.err;
    EXPECT_THAT(lines.front(), HasSubstr(words));
  }

  Json result(const std::string& folder = "out") const {
    return Json::parse(read(folder + "/result.json"));
  }
};

constexpr const char* kShort = "--set run.timeout_s=2";

TEST_F(Nccl, trains_to_the_numbers_of_mpi) {
  const ProcessOutcome mpi = kantor_on_ranks(3, {"run", "problem.toml", "--out", "mpi"});
  // "In progress" at first each time, as NCCL may say.
  const ProcessOutcome nccl = run_on_ranks(3, "KANTOR_FAKE_POLLS=50");
  EXPECT_EQ(nccl.exit_code, mpi.exit_code) << nccl.err;
  EXPECT_EQ(result().at("backend"), "nccl");
  EXPECT_EQ(result().at("world_size"), 3);
  EXPECT_THAT(read("out/log.txt"), HasSubstr(concat("; NCCL 2.28.9, ", KANTOR_FAKE_GPU)));
  for (const char* key : {"dual_value", "objective", "transport_cost"}) {
    // Sums over 3 ranks in another order, 60 steps of float64.
    const double expected = result("mpi").at(key);
    EXPECT_NEAR(result().at(key), expected, 1e-12 * std::abs(expected)) << key;
  }

  // What it left needs no GPU.
  const ProcessOutcome evaluated =
      kantor({"eval", "out", "--points", "y.npy", "--marginal", "1", "--out", "new"});
  EXPECT_EQ(evaluated.exit_code, 0) << evaluated.err;
}

TEST_F(Nccl, trains_to_the_numbers_of_mpi_in_float32) {
  const std::string single = "run.precision=float32";
  const ProcessOutcome mpi =
      kantor_on_ranks(3, {"run", "problem.toml", "--out", "mpi", "--set", single});
  const ProcessOutcome nccl = run_on_ranks(3, "", "--set " + single);
  EXPECT_EQ(nccl.exit_code, mpi.exit_code) << nccl.err;
  const double expected = result("mpi").at("dual_value");
  EXPECT_NEAR(result().at("dual_value"), expected, 1e-5 * std::abs(expected));
}

TEST_F(Nccl, runs_on_one_rank_without_a_launcher) {
  const ProcessOutcome outcome =
      run_process({"env", concat("LD_PRELOAD=", KANTOR_FAKE_GPU), KANTOR_BINARY, "run",
                   "problem.toml", "--out", "out", "--set", "run.backend=nccl", "--quiet"},
                  folder().path().string(), 120);
  EXPECT_TRUE(outcome.exit_code == 0 || outcome.exit_code == 4) << outcome.err;
  EXPECT_EQ(result().at("backend"), "nccl");
}

TEST_F(Nccl, ends_with_75_when_the_start_fails) {
  expect_lost(run_on_ranks(3, "KANTOR_FAKE_FAULTS=ncclCommInitRankConfig:1:2:1"),
              "[rank 1] bringing NCCL up: ncclCommInitRankConfig");
  EXPECT_FALSE(exists("out"));
}

TEST_F(Nccl, ends_with_75_when_the_start_hangs) {
  // Its deadline is five times that of a collective.
  expect_lost(run_on_ranks(3, "KANTOR_FAKE_FAULTS=ncclCommInitRankConfig:1:pending:1", kShort),
              "bringing NCCL up: not finished after 10 s");
  EXPECT_FALSE(exists("out"));
}

TEST_F(Nccl, ends_with_75_when_an_operation_fails_later) {
  expect_lost(run_on_ranks(3, "KANTOR_FAKE_FAULTS=collective:40:async=6:1", kShort), "#");
  EXPECT_FALSE(exists("out/result.json"));
}

TEST_F(Nccl, ends_with_75_when_an_operation_hangs) {
  expect_lost(run_on_ranks(3, "KANTOR_FAKE_FAULTS=collective:40:pending:1", kShort),
              "not finished after 2 s");
  EXPECT_FALSE(exists("out/result.json"));
}

TEST_F(Nccl, ends_with_75_when_a_call_does_not_return) {
  expect_lost(run_on_ranks(3, "KANTOR_FAKE_FAULTS=collective:40:hang:1", kShort),
              "not finished after 2 s");
  EXPECT_FALSE(exists("out/result.json"));
}

TEST_F(Nccl, ends_with_75_when_the_only_rank_does_not_return) {
  expect_lost(run_on_ranks(1, "KANTOR_FAKE_FAULTS=collective:40:hang", kShort),
              "does not come back");
}

TEST_F(Nccl, ends_with_75_when_the_abort_hangs_too) {
  expect_lost(
      run_on_ranks(3, "KANTOR_FAKE_FAULTS='collective:40:async=2:1;ncclCommAbort:1:hang'", kShort),
      "#");
  EXPECT_FALSE(exists("out/result.json"));
}

TEST_F(Nccl, ends_with_75_when_the_end_hangs) {
  expect_lost(run_on_ranks(3, "KANTOR_FAKE_FAULTS=ncclCommFinalize:1:pending:1", kShort),
              "closing NCCL: not finished after 2 s");
}

TEST_F(Nccl, refuses_two_ranks_on_one_gpu_unless_allowed) {
  expect_refused(run_on_ranks(2, "KANTOR_FAKE_DEVICES=1"), 78,
                 {"ranks 0 and 1 would share GPU", "run.allow_gpu_sharing"});
  EXPECT_FALSE(exists("out"));
  const ProcessOutcome allowed =
      run_on_ranks(2, "KANTOR_FAKE_DEVICES=1", "--set run.allow_gpu_sharing=true");
  EXPECT_TRUE(allowed.exit_code == 0 || allowed.exit_code == 4) << allowed.err;
}

/// With the real libraries. Where there is a GPU, it is hidden.
TEST_F(Nccl, says_in_one_line_that_there_is_no_gpu) {
  const std::string words = "run problem.toml --out out --set run.backend=nccl";
  const std::vector<std::string> said = {"run.backend = \"nccl\"", "no usable GPU",
                                         "run.backend = \"mpi\""};
  expect_refused(run_process({"env", "CUDA_VISIBLE_DEVICES=", KANTOR_BINARY, "run", "problem.toml",
                              "--out", "out", "--set", "run.backend=nccl"},
                             folder().path().string(), 120),
                 78, said);
  expect_refused(script_on_ranks(2, "export CUDA_VISIBLE_DEVICES=; exec \"$KANTOR\" " + words), 78,
                 said);
  EXPECT_FALSE(exists("out"));
}

TEST_F(Nccl, says_in_one_line_that_its_library_cannot_be_loaded) {
  // A copy of the program has no library beside it; then one that is none of ours.
  const std::string copy =
      "cp \"$KANTOR\" . 2>/dev/null; ./kantor run problem.toml --out out --set run.backend=nccl";
  expect_refused(script_on_ranks(1, copy), 78, {"cannot load libkantor_cuda.so"});
  write("libkantor_cuda.so", "not a library");
  expect_refused(script_on_ranks(2, "./kantor run problem.toml --out out --set run.backend=nccl"),
                 78, {"cannot load libkantor_cuda.so"});
  std::filesystem::copy_file(KANTOR_FAKE_GPU, folder().file("libkantor_cuda.so"),
                             std::filesystem::copy_options::overwrite_existing);
  expect_refused(script_on_ranks(1, "./kantor run problem.toml --out out --set run.backend=nccl"),
                 78, {"libkantor_cuda.so is of another build"});
}

TEST_F(Nccl, is_not_loaded_by_other_runs) {
  const ProcessOutcome outcome =
      run_process({"env", "LD_DEBUG=libs", "LD_DEBUG_OUTPUT=loaded", "sh", "-c",
                   concat("exec '", KANTOR_BINARY, "' run problem.toml --out out --quiet")},
                  folder().path().string(), 120);
  EXPECT_TRUE(outcome.exit_code == 0 || outcome.exit_code == 4) << outcome.err;
  const ProcessOutcome loaded = run_process({"sh", "-c", "cat loaded.* | grep 'calling init'"},
                                            folder().path().string(), 120);
  EXPECT_THAT(loaded.out, HasSubstr("libtorch_cpu.so"));
  EXPECT_THAT(loaded.out, Not(HasSubstr("libkantor_cuda.so")));
  EXPECT_THAT(loaded.out, Not(HasSubstr("libnccl.so")));
}

/// As distributed/nccl/README.md promises: a folder that holds another NCCL. There is no GPU to use
/// it with; an old one is refused by name before.
TEST_F(Nccl, is_that_of_ld_library_path_in_runs_and_to_the_doctor) {
  const std::string setting =
      concat("mkdir -p other; ln -sf '", KANTOR_FAKE_GPU, "' other/libnccl.so.2; ",
             "export LD_LIBRARY_PATH=$PWD/other KANTOR_FAKE_NCCL_VERSION=22704; ");
  const std::string used = folder().file("other/libnccl.so.2");
  expect_refused(
      script_on_ranks(
          1, setting + "exec \"$KANTOR\" run problem.toml --out out --set run.backend=nccl"),
      78, {"NCCL 2.27.4 was loaded from " + used});
  const ProcessOutcome doctor = script_on_ranks(1, setting + "exec \"$KANTOR\" doctor");
  EXPECT_THAT(doctor.out, HasSubstr("2.27.4, " + used));
}

/// LibTorch's libraries would bring their own NCCL, whatever LD_LIBRARY_PATH says.
TEST_F(Nccl, comes_with_kantors_library_before_libtorchs) {
  run_process({"env", "CUDA_VISIBLE_DEVICES=", "LD_DEBUG=files", "LD_DEBUG_OUTPUT=loaded",
               KANTOR_BINARY, "run", "problem.toml", "--out", "out", "--set", "run.device=cuda"},
              folder().path().string(), 120);
  const ProcessOutcome loaded =
      run_process({"sh", "-c",
                   "cat loaded.* | grep -o 'file=[^ ]*lib[a-z_]*cuda.so .*needed by\\|"
                   "file=[^ ]*lib[a-z_]*cuda.so .*dynamically loaded'"},
                  folder().path().string(), 120);
  const std::size_t ours = loaded.out.find("libkantor_cuda.so");
  const std::size_t theirs = loaded.out.find("libtorch_cuda.so");
  ASSERT_NE(ours, std::string::npos) << loaded.out;
  ASSERT_NE(theirs, std::string::npos) << loaded.out;
  EXPECT_LT(ours, theirs);
}

}  // namespace
}  // namespace kantor::test
