// Data files that another program touches while a run reads them.

#include <gmock/gmock.h>
#include <signal.h>

#include <filesystem>
#include <fstream>

#include "runtime/core/error.hpp"
#include "runtime/data/data_file.hpp"
#include "tests/launch/interrupted.hpp"

namespace kantor::test {
namespace {

using testing::HasSubstr;

class DataFault : public Interrupted {
 protected:
  /// So many rows that the file is mapped.
  void write_large_points() const {
    write_points("x.npy", 1'100'000, 2, 0);
    ASSERT_GT(std::filesystem::file_size(folder().file("x.npy")), data::DataFile::kLargestInMemory);
  }
  /// In training, and standing still there while `meddle` works.
  template <class Meddle>
  ProcessOutcome run_while(const Placement& where, const std::string& steps,
                           const Meddle& meddle) const {
    const auto process =
        start_run("out", where,
                  {"solver.neural.steps=" + steps, "solver.neural.log_every=1",
                   "solver.neural.evaluation_points=100", "run.checkpoint.every_steps=100000"});
    EXPECT_TRUE(becomes_true([&] { return reached("out", "train") > 0; }, kPatience_s));
    meddle(*process);
    return process->wait(kPatience_s);
  }
  void expect_failed(const ProcessOutcome& outcome, const std::string& said) const {
    expect_refused(outcome, 3, {folder().file("x.npy"), said});
    EXPECT_EQ(json("out/STATUS")["state"], "failed");
    EXPECT_THAT(json("out/STATUS")["reason"].get<std::string>(), HasSubstr("x.npy"));
    EXPECT_FALSE(exists("out/result.json"));
  }
  void overwrite_first_point() const {
    std::fstream file(folder().file("x.npy"), std::ios::in | std::ios::out | std::ios::binary);
    const double value = 17;
    file.seekp(128);
    file.write(reinterpret_cast<const char*>(&value), sizeof value);
    ASSERT_TRUE(file.flush().good());
  }
};

constexpr const char* kEndless = "100000000";

TEST_F(DataFault, of_a_file_that_is_cut_ends_the_run_by_its_name) {
  for (const Placement& where : {kAlone, kTwoThreads}) {
    SCOPED_TRACE(where.name);
    write_large_points();
    expect_failed(
        run_while(where, kEndless, [&](Process&) { std::ofstream(folder().file("x.npy")); }),
        "was cut from");
    std::filesystem::remove_all(folder().path() / "out");
  }
}

TEST_F(DataFault, of_a_file_that_is_cut_ends_all_ranks_by_one_line) {
  write_large_points();
  const ProcessOutcome outcome =
      run_while(kTwoProcesses, kEndless, [&](Process&) { std::ofstream(folder().file("x.npy")); });
  expect_failed(outcome, "was cut from");  // whichever rank met it
}

/// Each rank reads a copy of its own, of which that of rank 1 is cut.
TEST_F(DataFault, of_another_process_than_that_of_rank_0_is_on_record) {
  write_large_points();
  write_problem("problem.toml", "0.5", "path = \"/proc/self/cwd/x.npy\"", "path = \"y.npy\"");
  const ProcessOutcome outcome =
      script_on_ranks(2,
                      "mkdir $OMPI_COMM_WORLD_RANK; cp x.npy $OMPI_COMM_WORLD_RANK; "
                      "[ $OMPI_COMM_WORLD_RANK = 0 ] || "
                      "(until grep -qs train out/metrics.jsonl; do sleep 0.1; done; : > 1/x.npy) & "
                      "cd $OMPI_COMM_WORLD_RANK; exec \"$KANTOR\" run ../problem.toml --out ../out "
                      "--set solver.neural.steps=100000000 --set solver.neural.log_every=1 "
                      "--set solver.neural.evaluation_points=100");
  EXPECT_EQ(outcome.exit_code, 3) << outcome.err;
  EXPECT_EQ(json("out/STATUS")["state"], "failed") << outcome.err;
  EXPECT_THAT(json("out/STATUS")["reason"].get<std::string>(), HasSubstr("was cut from"));
}

TEST_F(DataFault, of_a_file_that_is_written_over_is_found_before_there_is_a_result) {
  for (const Placement& where : {kAlone, kTwoThreads}) {
    SCOPED_TRACE(where.name);
    write_large_points();
    const auto meddle = [&](Process& process) {
      process.send(SIGSTOP);
      overwrite_first_point();
      process.send(SIGCONT);
    };
    expect_failed(run_while(where, "2000", meddle), "other bytes");
    std::filesystem::remove_all(folder().path() / "out");
  }
}

TEST_F(DataFault, is_none_where_the_file_is_small) {
  const Words settings = {"solver.neural.steps=2000", "solver.neural.log_every=1",
                          "solver.neural.evaluation_points=100",
                          "run.checkpoint.every_steps=100000"};
  EXPECT_EQ(run("whole", kAlone, settings).exit_code % 4, 0);
  const ProcessOutcome outcome = run_while(kAlone, "2000", [&](Process& process) {
    process.send(SIGSTOP);
    overwrite_first_point();
    process.send(SIGCONT);
  });
  EXPECT_EQ(outcome.exit_code % 4, 0) << outcome.err;
  expect_same_results("whole", "out");
}

}  // namespace
}  // namespace kantor::test
