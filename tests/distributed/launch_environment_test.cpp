#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "distributed/communicator.hpp"
#include "runtime/core/error.hpp"

namespace kantor {
namespace {

using testing::AllOf;
using testing::HasSubstr;

LaunchEnvironment in(const std::map<std::string, std::string>& variables) {
  return launch_environment([&](const char* variable) -> const char* {
    const auto found = variables.find(variable);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
}

void expect_alone(const std::map<std::string, std::string>& variables) {
  const LaunchEnvironment found = in(variables);
  EXPECT_EQ(found.num_ranks, 1) << found.source;
  EXPECT_FALSE(found.under_launcher) << found.source;
  EXPECT_EQ(found.source, "");
}

void expect_ranks(int ranks, const std::string& source,
                  const std::map<std::string, std::string>& variables) {
  const LaunchEnvironment found = in(variables);
  EXPECT_EQ(found.num_ranks, ranks);
  EXPECT_TRUE(found.under_launcher);
  EXPECT_EQ(found.source, source);
}

}  // namespace

TEST(LaunchEnvironment, is_one_rank_without_a_launcher) {
  expect_alone({});
  expect_alone({{"PMIX_RANK", "0"}, {"OMPI_MCA_btl", "self"}});  // a singleton of Open MPI
  expect_alone({{"OMPI_COMM_WORLD_SIZE", ""}, {"PMI_SIZE", ""}});
}

TEST(LaunchEnvironment, reads_what_mpirun_announces) {
  expect_ranks(4, "OMPI_COMM_WORLD_SIZE", {{"OMPI_COMM_WORLD_SIZE", "4"}});
  expect_ranks(1, "OMPI_COMM_WORLD_SIZE", {{"OMPI_COMM_WORLD_SIZE", "1"}});
  expect_ranks(8, "PMI_SIZE", {{"PMI_SIZE", "8"}, {"PMI_RANK", "3"}});
}

TEST(LaunchEnvironment, counts_the_tasks_of_an_srun_step) {
  expect_ranks(16, "SLURM_STEP_NUM_TASKS",
               {{"SLURM_STEP_NUM_TASKS", "16"},
                {"SLURM_STEP_ID", "0"},
                {"SLURM_PROCID", "5"},
                {"SLURM_NTASKS", "32"}});
  expect_ranks(6, "SLURM_NTASKS",
               {{"SLURM_NTASKS", "6"}, {"SLURM_STEP_ID", "2"}, {"SLURM_PROCID", "0"}});
}

TEST(LaunchEnvironment, takes_an_sbatch_script_or_salloc_shell_for_one_process) {
  const std::map<std::string, std::string> batch = {
      {"SLURM_JOB_ID", "77"}, {"SLURM_NTASKS", "8"}, {"SLURM_PROCID", "0"}};
  expect_alone(batch);
  // Reserved step numbers: batch, interactive, external, and the batch step as older Slurm wrote
  // it.
  for (const char* step : {"4294967291", "4294967290", "4294967292", "-5", "-2", "batch"}) {
    auto variables = batch;
    variables["SLURM_STEP_ID"] = step;
    expect_alone(variables);
  }
  expect_alone({{"SLURM_NTASKS", "8"}, {"SLURM_STEP_ID", "0"}});  // no task of the step: no PROCID
}

TEST(LaunchEnvironment, prefers_mpirun_inside_a_slurm_step) {
  // mpirun starts its daemons by srun, whose step has one task per node.
  expect_ranks(8, "OMPI_COMM_WORLD_SIZE",
               {{"OMPI_COMM_WORLD_SIZE", "8"},
                {"SLURM_STEP_NUM_TASKS", "2"},
                {"SLURM_STEP_ID", "0"},
                {"SLURM_PROCID", "1"}});
}

TEST(LaunchEnvironment, refuses_a_count_that_is_none) {
  for (const char* text : {"x", "0", "-3", "4 ", "2.5", "99999999999"}) {
    try {
      in({{"OMPI_COMM_WORLD_SIZE", text}});
      ADD_FAILURE() << text << " was taken";
    } catch (const ConfigError& error) {
      EXPECT_THAT(error.what(), AllOf(HasSubstr("OMPI_COMM_WORLD_SIZE"), HasSubstr(text)));
    }
  }
}

}  // namespace kantor
