// The command line under mpirun: one answer, one error line, one exit code, no hang.
// Each launch takes a second or two, so the cases are few.

#include <cmath>
#include <nlohmann/json.hpp>

#include "runtime/data/npy.hpp"
#include "tests/launch/launch_fixture.hpp"

namespace kantor::test {
namespace {

using Json = nlohmann::json;

class Ranks : public Launch {
 protected:
  Ranks() { write_small_problem(); }
};

/// Each rank runs the problem file of its number.
constexpr const char* kOwnProblem =
    "exec \"$KANTOR\" run problem$OMPI_COMM_WORLD_RANK.toml --out out";

TEST_F(Ranks, solve_one_problem_together_and_evaluate_it) {
  const ProcessOutcome outcome = kantor_on_ranks(2, {"run", "problem.toml", "--out", "out"});
  ASSERT_TRUE(outcome.exit_code == 0 || outcome.exit_code == 4) << outcome.err;
  const Json result = Json::parse(read("out/result.json"));
  EXPECT_EQ(result.at("world_size"), 2);
  EXPECT_EQ(result.at("backend"), "mpi");
  EXPECT_LE(result.at("dual_value"), result.at("objective"));
  EXPECT_EQ(Json::parse(read("out/environment.json")).at("hosts").size(), 2u);

  // One rank computes the same, up to the order of sums (float64, 60 steps).
  const ProcessOutcome alone = kantor({"run", "problem.toml", "--out", "alone", "--quiet"});
  EXPECT_EQ(alone.exit_code, outcome.exit_code);
  const double expected = Json::parse(read("alone/result.json")).at("dual_value");
  EXPECT_NEAR(result.at("dual_value"), expected, 1e-12 * std::abs(expected));

  const ProcessOutcome evaluated =
      kantor_on_ranks(2, {"eval", "out", "--points", "y.npy", "--marginal", "1", "--out", "new"});
  EXPECT_EQ(evaluated.exit_code, 0) << evaluated.err;
  EXPECT_EQ(data::read_npy_vector(folder().file("new/potential.npy")).size(), 50u);
}

TEST_F(Ranks, print_one_line_when_all_meet_the_same_error) {
  expect_refused(kantor_on_ranks(2, {"run", "problem.toml", "--set", "problem.epsilon=0"}), 78,
                 {"epsilon", "[rank 0]"});
  expect_refused(kantor_on_ranks(2, {"rnu"}), 2, {"rnu", "[rank 0]"});
}

TEST_F(Ranks, print_one_line_when_one_meets_an_error) {
  write("problem0.toml", read("problem.toml"));
  expect_refused(script_on_ranks(2, kOwnProblem), 2, {"problem1.toml", "[rank 1]"});
  EXPECT_FALSE(exists("out"));
}

TEST_F(Ranks, refuse_to_work_on_different_data) {
  write_points("z.npy", 40, 2, 0.1);  // same shape, other values
  write("problem0.toml", read("problem.toml"));
  write_problem("problem1.toml", "0.5", "path = \"z.npy\"", "path = \"y.npy\"");
  const ProcessOutcome outcome = script_on_ranks(2, kOwnProblem);
  expect_refused(outcome, 78, {"same data", "x.npy"});
  EXPECT_FALSE(exists("out"));
}

TEST_F(Ranks, refuse_to_work_on_different_configurations) {
  write("problem0.toml", read("problem.toml"));
  write_problem("problem1.toml", "0.25", "path = \"x.npy\"", "path = \"y.npy\"");
  expect_refused(script_on_ranks(2, kOwnProblem), 78, {"differ"});
  EXPECT_FALSE(exists("out"));
}

TEST_F(Ranks, refuse_to_work_with_different_flags) {
  const std::string run = "exec \"$KANTOR\" run problem.toml --out out --set run.timeout_s=5";
  const std::string one_resumes =
      "[ \"$OMPI_COMM_WORLD_RANK\" = 0 ] && " + run + " --resume\n" + run;
  expect_refused(script_on_ranks(2, one_resumes), 78, {"differ"});
  EXPECT_FALSE(exists("out"));
}

TEST_F(Ranks, report_an_output_that_cannot_be_written) {
  expect_refused(kantor_on_ranks(2, {"run", "problem.toml", "--out", "/proc/kantor"}), 74,
                 {"/proc/kantor", "[rank 0]"});
}

TEST_F(Ranks, refuse_a_backend_of_one_process) {
  expect_refused(kantor_on_ranks(2, {"run", "problem.toml", "--set", "run.backend=self"}), 78,
                 {"run.backend", "2 ranks"});
}

TEST_F(Ranks, refuse_to_start_when_the_launcher_announces_more_than_there_are) {
  // As under srun with an MPI that Slurm does not know: every process would be a world of its own.
  // Each says so: whatever its number, it may be the only one, with variables that were left
  // behind.
  for (const std::string rank : {"0", "2"}) {
    const ProcessOutcome outcome = run_process(
        {"env", "SLURM_NTASKS=3", "SLURM_STEP_NUM_TASKS=3", "SLURM_STEP_ID=0",
         "SLURM_PROCID=" + rank, "OMPI_ALLOW_RUN_AS_ROOT=1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1",
         KANTOR_BINARY, "run", "problem.toml", "--out", "out"},
        folder().path().string(), 120);
    expect_refused(outcome, 78, {"3 ranks", "unset", rank == "0" ? "" : "[rank 2]"});
    EXPECT_FALSE(exists("out"));
  }
}

TEST_F(Ranks, may_be_one_under_mpi) {
  const ProcessOutcome outcome = kantor({"run", "problem.toml", "--out", "out", "--quiet", "--set",
                                         "run.backend=mpi", "--set", "solver.name=sinkhorn"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(Json::parse(read("out/result.json")).at("backend"), "mpi");
}

}  // namespace
}  // namespace kantor::test
