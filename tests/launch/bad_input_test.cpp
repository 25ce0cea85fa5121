// Every way in which input can be wrong: the exit code, one line that names the thing, nothing
// written. One process; ranks_test.cpp has the same under mpirun.

#include <cmath>
#include <filesystem>
#include <limits>

#include "runtime/core/error.hpp"
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

TEST_F(BadInput, is_not_what_comes_through_a_pipe) {
  const std::string script =
      concat("cat problem.toml | '", KANTOR_BINARY, "' run /dev/stdin --out out --quiet");
  const ProcessOutcome outcome = run_process({"bash", "-c", script}, folder().path().string(), 120);
  EXPECT_EQ(outcome.exit_code % 4, 0) << outcome.err;
  EXPECT_EQ(read("out/problem.toml"), read("problem.toml"));
}

TEST_F(BadInput, is_a_full_stdout_but_not_one_that_nobody_reads) {
  const auto outcome_of = [&](const std::string& script) {
    return run_process({"bash", "-c", script}, folder().path().string(), 120);
  };
  for (const std::string words : {"--help", "run problem.toml --dry-run",
                                  "run problem.toml --out out --set solver.name=sinkhorn"}) {
    const std::string call = concat("'", KANTOR_BINARY, "' ", words);
    expect_refused(outcome_of(call + " > /dev/full"), kIo, {"stdout", "No space left"});
  }
  EXPECT_NE(read("out/STATUS").find("\"done\""), std::string::npos);
  const ProcessOutcome unread =
      outcome_of(concat("'", KANTOR_BINARY, "' --help | true; exit ${PIPESTATUS[0]}"));
  EXPECT_EQ(unread.exit_code, 0) << unread.err;
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

// What once led to 70, to a hang, or to a line that helped nobody.

TEST_F(BadInput, is_refused_by_the_points_when_their_costs_leave_the_range_of_double) {
  use("path = \"x.npy\"\nscale = 1e300");
  expect_run_refused(kData, {"x.npy", "row 0", "range of double"});
  write_points("x.npy", 40, 2, 1e308);
  use("path = \"x.npy\"");
  for (const char* cost : {"sqeuclidean", "dot", "euclidean", "pnorm"}) {
    expect_run_refused(kData, {"x.npy", "1e+308", "range of double"},
                       {"--set", concat("problem.cost=", cost)});
  }
}

TEST_F(BadInput, is_refused_when_the_batch_is_beyond_any_memory) {
  for (const char* batch : {"100000000000", "9223372036854775807"}) {
    expect_run_refused(kConfig, {"solver.neural.batch", batch},
                       {"--set", concat("solver.neural.batch=", batch)});
  }
}

TEST_F(BadInput, is_refused_when_the_batch_does_not_fit_into_memory) {
  use("generator = { name = \"uniform_cube\", n = 3, d = 4000 }",
      "generator = { name = \"uniform_cube\", n = 3, d = 4000, seed = 1 }");
  // 2^31 points of 4,000 doubles, twice: 137 TB.
  expect_run_refused(kConfig, {"solver.neural.batch", "its points take"},
                     {"--set", "solver.neural.batch=2147483647"});
}

TEST_F(BadInput, is_refused_when_memory_does_not_suffice) {
  use("generator = { name = \"uniform_cube\", n = 200000000000, d = 2 }");  // 3.2 TB
  const std::string script =  // 100 GB, or a system that promises all that is asked for kills it
      concat("ulimit -v 100000000; exec '", KANTOR_BINARY, "' run problem.toml --out out");
  const ProcessOutcome outcome = run_process({"bash", "-c", script}, folder().path().string(), 120);
  expect_refused(outcome, kConfig, {"not enough memory", "generator's n"});
  EXPECT_FALSE(exists("out"));
}

TEST_F(BadInput, is_refused_when_the_problem_file_is_nested_beyond_any_stack) {
  std::string key;
  for (int i = 0; i < 50'000; ++i) key += "a.";
  write("problem.toml", key + "a = 1\n");
  expect_run_refused(kConfig, {"problem.toml:1", "nested deeper"});
  expect_refused(kantor({"inspect", "problem.toml"}), kConfig, {"problem.toml:1", "nested deeper"});
}

TEST_F(BadInput, is_refused_when_the_problem_file_might_never_end) {
  expect_refused(kantor({"run", "/dev/zero"}), kUsage, {"/dev/zero", "not a regular file"});
  write("problem.toml", "");
  std::filesystem::resize_file(folder().file("problem.toml"), 17 << 20);
  expect_run_refused(kUsage, {"problem.toml", "longer than the 16 MB"});
}

TEST_F(BadInput, is_answered_in_a_short_line_however_long_the_input_is) {
  const std::string long_word(100'000, 'a');
  const ProcessOutcome outcome = kantor({"run", "problem.toml", "--set", long_word + "=1"});
  expect_refused(outcome, kConfig, {"unknown key aaa"});
  EXPECT_LT(outcome.err.size(), 1100u);
}

TEST_F(BadInput, is_told_by_its_kind_when_a_data_file_is_of_another) {
  write("x.npy", "<!DOCTYPE html>\n<html><body>404</body></html>");
  expect_run_refused(kData, {"x.npy", "web page"});
  write("x.npy", "a,b\n1.5,2\n3,4\n");
  expect_run_refused(kData, {"x.npy", "it is text", "numpy.loadtxt"});
  write_small_problem();
  use("path = \"x.npy\"\nweights = \"a.safetensors\"");
  write("a.safetensors", std::string("\x02\0\0\0\0\0\0\0{}", 10));
  expect_run_refused(kData, {"a.safetensors", "save its tensor alone by numpy.save"});
  use("path = \"x.npy\"\nlabels = \"y.npy\"\nselect = [0]");
  expect_run_refused(kData, {"y.npy", "idx-ubyte", "numpy.isin"});
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
