// Every way in which input can be wrong: the exit code, one line that names the thing, nothing
// written. One process; ranks_test.cpp has the same under mpirun.

#include <cmath>
#include <limits>

#include "runtime/data/npy.hpp"
#include "tests/launch/launch_fixture.hpp"

namespace kantor::test {
namespace {

constexpr int kUsage = 2;
constexpr int kData = 3;
constexpr int kIo = 74;
constexpr int kConfig = 78;

/// A small problem that is in order until a test spoils one thing.
class BadInput : public Launch {
 protected:
  BadInput() { write_small_problem(); }

  void use(const std::string& first, const std::string& second = "path = \"y.npy\"") const {
    write_problem("problem.toml", "0.5", first, second);
  }
  void write_weights(const std::vector<double>& values) const {
    data::write_npy(folder().file("a.npy"), values,
                    std::vector{static_cast<std::int64_t>(values.size())});
  }
  void use_weights(const std::vector<double>& values) const {
    write_weights(values);
    use("path = \"x.npy\"\nweights = \"a.npy\"");
  }
  void write_point(double value) const {
    std::vector<double> values(80, 0.5);
    values[13] = value;  // row 6, column 1
    data::write_npy(folder().file("x.npy"), values, std::vector<std::int64_t>{40, 2});
  }
};

TEST_F(BadInput, is_accepted_before_anything_is_spoilt) {
  const ProcessOutcome outcome = kantor({"run", "problem.toml", "--dry-run"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
}

// Data files.

TEST_F(BadInput, is_refused_when_a_data_file_is_missing) {
  use("path = \"nowhere.npy\"");
  expect_run_refused(kData, {"nowhere.npy"});
}

TEST_F(BadInput, is_refused_when_a_data_file_is_truncated) {
  const std::string whole = read("x.npy");
  write("x.npy", whole.substr(0, whole.size() - 8));
  expect_run_refused(kData, {"x.npy"});
  write("x.npy", whole.substr(0, 20));  // in the header
  expect_run_refused(kData, {"x.npy"});
  write("x.npy", "");
  expect_run_refused(kData, {"x.npy"});
}

TEST_F(BadInput, is_refused_when_a_data_file_holds_python_objects) {
  std::string header = "{'descr': '|O', 'fortran_order': False, 'shape': (40, 2), }";
  header.resize(117, ' ');
  header += '\n';
  write("x.npy", std::string("\x93NUMPY\x01\x00", 8) + static_cast<char>(header.size()) + '\0' +
                     header + std::string(640, '\0'));
  expect_run_refused(kData, {"x.npy"});
}

TEST_F(BadInput, is_refused_when_a_data_file_is_something_else) {
  write("x.npy", "x,y\n1,2\n");
  expect_run_refused(kData, {"x.npy"});
}

TEST_F(BadInput, is_refused_when_a_value_is_not_a_number) {
  write_point(std::numeric_limits<double>::quiet_NaN());
  expect_run_refused(kData, {"x.npy", "NaN", "6"});
}

TEST_F(BadInput, is_refused_when_a_value_is_infinite) {
  write_point(-std::numeric_limits<double>::infinity());
  expect_run_refused(kData, {"x.npy", "inf", "6"});
}

TEST_F(BadInput, is_refused_when_dimensions_differ_between_marginals) {
  write_points("y.npy", 50, 3, 0.5);
  expect_run_refused(kData, {"y.npy", "2", "3"});
}

TEST_F(BadInput, is_refused_when_a_data_path_is_a_folder) {
  use("path = \".\"");
  expect_run_refused(kData, {});
}

// Weights.

TEST_F(BadInput, is_refused_when_a_weight_is_negative) {
  std::vector<double> weights(40, 1.0 / 39);
  weights[7] = -0.001;
  use_weights(weights);
  expect_run_refused(kData, {"a.npy", "7"});
}

TEST_F(BadInput, is_refused_when_weights_are_short) {
  use_weights(std::vector<double>(39, 1.0 / 39));
  expect_run_refused(kData, {"a.npy", "39", "40"});
}

TEST_F(BadInput, is_refused_when_all_weights_are_zero) {
  use_weights(std::vector<double>(40, 0.0));
  expect_run_refused(kData, {"a.npy"});
  use("path = \"x.npy\"\nweights = \"a.npy\"\nnormalise = true");
  expect_run_refused(kData, {"a.npy"});
}

TEST_F(BadInput, is_refused_when_weights_do_not_sum_to_one) {
  use_weights(std::vector<double>(40, 0.05));
  expect_run_refused(kData, {"a.npy", "2", "normalise"});
}

TEST_F(BadInput, is_refused_when_a_weight_is_not_a_number) {
  std::vector<double> weights(40, 1.0 / 40);
  weights[3] = std::numeric_limits<double>::quiet_NaN();
  use_weights(weights);
  expect_run_refused(kData, {"a.npy", "3"});
}

// Configuration.

TEST_F(BadInput, is_refused_when_epsilon_is_not_positive) {
  for (const char* epsilon : {"0.0", "-0.5", "0"}) {
    write_problem("problem.toml", epsilon, "path = \"x.npy\"", "path = \"y.npy\"");
    expect_run_refused(kConfig, {"epsilon"});
  }
  expect_run_refused(kConfig, {"epsilon"}, {"--set", "problem.epsilon=-1"});
}

TEST_F(BadInput, is_refused_when_epsilon_is_not_finite_or_no_number) {
  for (const char* epsilon : {"nan", "inf", "\"small\"", "true"}) {
    write_problem("problem.toml", epsilon, "path = \"x.npy\"", "path = \"y.npy\"");
    expect_run_refused(kConfig, {"epsilon"});
  }
}

TEST_F(BadInput, is_refused_with_the_nearest_key_when_a_key_is_unknown) {
  use("path = \"x.npy\"\nweigths = \"a.npy\"");
  expect_run_refused(kConfig, {"weigths", "weights", "problem.toml"});
  write_small_problem();
  expect_run_refused(kConfig, {"batchsize", "batch"}, {"--set", "solver.neural.batchsize=3"});
  expect_run_refused(kConfig, {"slover", "solver"}, {"--set", "slover.name=sinkhorn"});
  // The tables of solvers that are not selected are checked too.
  expect_run_refused(kConfig, {"tolerence", "tolerance"},
                     {"--set", "solver.sinkhorn.tolerence=1e-3"});
}

TEST_F(BadInput, is_refused_with_the_nearest_word_when_a_choice_is_unknown) {
  expect_run_refused(kConfig, {"sinkhron", "sinkhorn"}, {"--set", "solver.name=sinkhron"});
  expect_run_refused(kConfig, {"sqeuclid", "sqeuclidean"}, {"--set", "problem.cost=sqeuclid"});
}

TEST_F(BadInput, is_refused_when_a_type_is_wrong) {
  expect_run_refused(kConfig, {"solver.neural.steps"}, {"--set", "solver.neural.steps=many"});
  expect_run_refused(kConfig, {"solver.neural.steps"}, {"--set", "solver.neural.steps=1.5"});
}

TEST_F(BadInput, is_refused_with_the_line_when_the_file_is_not_toml) {
  write("problem.toml", "[problem]\nepsilon = = 3\n");
  expect_run_refused(kConfig, {"problem.toml:2"});
}

TEST_F(BadInput, is_refused_when_there_is_one_marginal_or_none) {
  write("problem.toml", "[problem]\nepsilon = 0.5\n[[problem.marginals]]\npath = \"x.npy\"\n");
  expect_run_refused(kConfig, {"marginals"});
  write("problem.toml", "[problem]\nepsilon = 0.5\n");
  expect_run_refused(kConfig, {"marginals"});
}

TEST_F(BadInput, is_refused_when_the_problem_file_is_missing) {
  expect_refused(kantor({"run", "nowhere.toml"}), kUsage, {"nowhere.toml"});
}

TEST_F(BadInput, is_refused_when_a_setting_has_no_value) {
  expect_run_refused(kConfig, {"run.threads"}, {"--set", "run.threads"});
}

// Command line.

TEST_F(BadInput, is_refused_when_verb_or_flag_is_unknown) {
  expect_refused(kantor({"rnu", "problem.toml"}), kUsage, {"rnu", "run"});
  expect_refused(kantor({"run", "problem.toml", "--quite"}), kUsage, {"--quite", "--quiet"});
  expect_refused(kantor({}), kUsage, {"verb"});
  EXPECT_FALSE(exists("runs"));
}

// Output.

TEST_F(BadInput, is_refused_when_there_is_no_gpu_for_the_device) {
  // Either LibTorch's CUDA libraries are not all installed, or they find no GPU.
  const ProcessOutcome outcome =
      kantor({"run", "problem.toml", "--out", "out", "--set", "run.device=cuda", "--quiet"});
  expect_refused(outcome, kConfig, {"run.device", "cuda", "cpu"});
  expect_run_refused(kConfig, {"run.device", "thread"},
                     {"--set", "run.device=cuda", "--set", "run.backend=thread"});
}

TEST_F(BadInput, leaves_an_existing_output_directory_alone) {
  ASSERT_EQ(kantor({"run", "problem.toml", "--out", "out", "--quiet"}).exit_code % 4, 0);
  const std::string result = read("out/result.json");
  expect_refused(kantor({"run", "problem.toml", "--out", "out"}), kConfig, {"out", "--out"});
  EXPECT_EQ(read("out/result.json"), result);
  expect_refused(kantor({"run", "problem.toml", "--out", "x.npy"}), kConfig, {"x.npy"});
}

TEST_F(BadInput, is_an_io_error_when_the_output_cannot_be_written) {
  expect_refused(kantor({"run", "problem.toml", "--out", "x.npy/below"}), kIo, {"x.npy/below"});
  expect_refused(kantor({"run", "problem.toml", "--out", "/proc/kantor"}), kIo, {"/proc/kantor"});
}

}  // namespace
}  // namespace kantor::test
