// kantor doctor as a person calls it: alone, under mpirun, on a machine that is not in order.

#include <gmock/gmock.h>

#include <filesystem>
#include <sstream>

#include "runtime/core/error.hpp"
#include "tests/launch/launch_fixture.hpp"

namespace kantor::test {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

class Doctor : public Launch {
 protected:
  /// Every check once, nothing failed, nothing left.
  void expect_healthy(const ProcessOutcome& outcome) const {
    EXPECT_FALSE(outcome.timed_out);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.out << outcome.err;
    EXPECT_THAT(error_lines(outcome.err), IsEmpty());
    const auto lines = lines_of(outcome.out);
    ASSERT_FALSE(lines.empty());
    EXPECT_THAT(lines.front(), StartsWith("kantor 0."));
    EXPECT_THAT(lines.back(), HasSubstr(" ok, "));
    EXPECT_THAT(lines.back(), HasSubstr(" 0 FAIL"));
    for (const char* name : {"ranks",        "launcher",        "processor",      "cores",
                             "memory",       "soft-min values", "soft-min speed", "BLAS speed",
                             "BLAS library", "OpenMP",          "OpenMP library", "LibTorch",
                             "MPI",          "CUDA runtime",    "NCCL",           "GPUs",
                             "all_reduce",   "run directory",   "fsync",          "lock",
                             "shared memory"}) {
      std::string column = name;
      column.resize(17, ' ');
      EXPECT_EQ(std::count_if(lines.begin(), lines.end(),
                              [&](const std::string& line) {
                                return line.size() > 6 && line.substr(6).starts_with(column);
                              }),
                1)
          << name << "\n"
          << outcome.out;
    }
  }
};

TEST_F(Doctor, checks_one_process) {
  expect_healthy(kantor({"doctor"}));
  EXPECT_TRUE(std::filesystem::is_empty(folder().path()));
}

TEST_F(Doctor, checks_ranks_together) {
  const ProcessOutcome outcome = kantor_on_ranks(2, {"doctor", "--out", "new/runs"});
  expect_healthy(outcome);
  EXPECT_THAT(outcome.out, HasSubstr("2 ranks, backend mpi"));
  EXPECT_THAT(outcome.out, HasSubstr("OMPI_COMM_WORLD_SIZE announces 2, MPI has 2"));
  EXPECT_THAT(outcome.out, HasSubstr("8 B in"));
  EXPECT_FALSE(exists("new"));
}

TEST_F(Doctor, fails_when_runs_cannot_be_written) {
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"doctor", "--out", "/proc/kantor"},
        std::vector<std::string>{"doctor", "--out", "file/below"}}) {
    write("file", "text");
    const ProcessOutcome outcome = kantor(words);
    EXPECT_EQ(outcome.exit_code, 78) << outcome.out;
    EXPECT_EQ(outcome.err, "");
    EXPECT_THAT(lines_of(outcome.out),
                Contains(AllOf(StartsWith("FAIL  run directory"), HasSubstr("--out"))));
    EXPECT_THAT(lines_of(outcome.out).back(), HasSubstr(" 1 FAIL"));
  }
  // Rank 0 met it, all ranks return it.
  script_on_ranks(2, "\"$KANTOR\" doctor --out /proc/kantor; echo $? > code$OMPI_COMM_WORLD_RANK");
  EXPECT_EQ(read("code0") + read("code1"), "78\n78\n");
}

TEST_F(Doctor, fails_when_the_launcher_does_not_fit) {
  const ProcessOutcome outcome = run_process(
      {"env", "SLURM_NTASKS=3", "SLURM_STEP_NUM_TASKS=3", "SLURM_STEP_ID=0", "SLURM_PROCID=1",
       "OMPI_ALLOW_RUN_AS_ROOT=1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1", KANTOR_BINARY, "doctor"},
      folder().path().string(), 120);
  EXPECT_EQ(outcome.exit_code, 78) << outcome.err;
  EXPECT_THAT(lines_of(outcome.out),
              Contains(AllOf(StartsWith("FAIL  launcher"), HasSubstr("3 ranks"))));
}

TEST_F(Doctor, tells_what_only_another_rank_has_met) {
  const ProcessOutcome warned = script_on_ranks(
      2, "export OMP_NUM_THREADS=$((1 + OMPI_COMM_WORLD_RANK)); exec \"$KANTOR\" doctor");
  EXPECT_EQ(warned.exit_code, 0) << warned.err;
  EXPECT_THAT(lines_of(warned.out), Contains(AllOf(StartsWith("ok    OpenMP "), HasSubstr("= 1"))));
  EXPECT_THAT(lines_of(warned.out), Contains(AllOf(StartsWith("warn  OpenMP "), HasSubstr("= 2"),
                                                   HasSubstr("[rank 1, on "))));

  // A library of that name is a second LibTorch, as far as names go.
  const ProcessOutcome failed =
      script_on_ranks(2,
                      "cp \"$(ldd \"$KANTOR\" | awk '/libz\\.so/ {print $3}')\" "
                      "libtorch_cpu_$OMPI_COMM_WORLD_RANK.so; "
                      "[ $OMPI_COMM_WORLD_RANK = 0 ] || export LD_PRELOAD=$PWD/libtorch_cpu_1.so; "
                      "\"$KANTOR\" doctor; echo $? > code$OMPI_COMM_WORLD_RANK");
  EXPECT_THAT(lines_of(failed.out),
              Contains(AllOf(StartsWith("FAIL  LibTorch"), HasSubstr("2 copies"),
                             HasSubstr("[rank 1, on "))));
  EXPECT_THAT(lines_of(failed.out), Contains(StartsWith("ok    LibTorch")));
  EXPECT_THAT(lines_of(failed.out).back(), HasSubstr(" 1 FAIL"));
  EXPECT_EQ(read("code0") + read("code1"), "78\n78\n");
}

TEST_F(Doctor, refuses_ranks_that_were_given_different_verbs) {
  write_small_problem();
  expect_refused(script_on_ranks(2,
                                 "[ $OMPI_COMM_WORLD_RANK = 0 ] && exec \"$KANTOR\" doctor; "
                                 "exec \"$KANTOR\" run problem.toml --out out"),
                 78, {"differ"});
}

TEST_F(Doctor, names_gpus_and_what_they_lack) {
  const std::string fake = concat("export LD_PRELOAD='", KANTOR_FAKE_GPU, "'; ");
  const ProcessOutcome whole =
      script_on_ranks(2, fake + "export KANTOR_FAKE_DEVICES=2; exec \"$KANTOR\" doctor");
  expect_healthy(whole);
  EXPECT_THAT(lines_of(whole.out),
              Contains(AllOf(StartsWith("ok    GPUs"), HasSubstr("2 x Look-alike (compute 9.0"))));
  // LibTorch does not take the look-alike for one.
  EXPECT_THAT(lines_of(whole.out),
              Contains(AllOf(StartsWith("warn  GPU kernels"), HasSubstr("run.device"))));

  const ProcessOutcome few =
      script_on_ranks(2, fake +
                             "export KANTOR_FAKE_DEVICES=1 KANTOR_FAKE_NCCL_VERSION=22000; "
                             "exec \"$KANTOR\" doctor");
  EXPECT_EQ(few.exit_code, 0) << few.err;
  EXPECT_THAT(lines_of(few.out), Contains(AllOf(StartsWith("warn  GPUs"), HasSubstr("2 ranks"))));
  EXPECT_THAT(lines_of(few.out), Contains(AllOf(StartsWith("warn  NCCL"), HasSubstr("2.20.0"))));

  const ProcessOutcome broken = script_on_ranks(
      2, fake + "export KANTOR_FAKE_FAULTS=cudaGetDeviceProperties:1:46; exec \"$KANTOR\" doctor");
  EXPECT_EQ(broken.exit_code, 0) << broken.err;
  EXPECT_THAT(lines_of(broken.out),
              Contains(AllOf(StartsWith("warn  GPUs"), HasSubstr("cudaGetDeviceProperties"))));
}

/// With the real libraries; where there is a GPU, it is hidden.
TEST_F(Doctor, is_calm_without_gpus) {
  const ProcessOutcome outcome = run_process(
      {"env", "CUDA_VISIBLE_DEVICES=", KANTOR_BINARY, "doctor"}, folder().path().string(), 120);
  expect_healthy(outcome);
  EXPECT_THAT(lines_of(outcome.out), Contains(AllOf(HasSubstr("GPUs"), HasSubstr("driver"))));
}

TEST_F(Doctor, warns_when_its_cuda_library_is_missing) {
  const ProcessOutcome outcome =
      script_on_ranks(1, "cp \"$KANTOR\" ./kantor; exec ./kantor doctor");
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(lines_of(outcome.out), Contains(AllOf(StartsWith("warn  CUDA library"),
                                                    HasSubstr("cannot load libkantor_cuda.so"))));
  EXPECT_THAT(outcome.out, Not(HasSubstr("NCCL  ")));
}

TEST_F(Doctor, refuses_words_that_it_does_not_know) {
  expect_refused(kantor({"doctor", "now"}), 2, {"'now'"});
  expect_refused(kantor({"doctor", "--ouput", "x"}), 2, {"--ouput", "--out"});
  expect_refused(kantor_on_ranks(2, {"doctor", "--fix"}), 2, {"--fix", "[rank 0]"});
}

}  // namespace
}  // namespace kantor::test
