// What goes to Python and comes from it: the learned potential rebuilt by numpy, safetensors as
// marginals, and files that are out to do harm.

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "runtime/core/error.hpp"
#include "runtime/data/marginal.hpp"
#include "runtime/data/npy.hpp"
#include "runtime/data/safetensors.hpp"
#include "tests/launch/launch_fixture.hpp"

namespace kantor::test {
namespace {

class Exchange : public Launch {
 protected:
  Exchange() { write_small_problem(); }

  std::vector<double> vector(const std::string& name) const {
    return data::read_npy_vector(folder().file(name));
  }
  void solve(const std::vector<std::string>& settings) const {
    std::vector<std::string> words = {"run", "problem.toml", "--out", "out", "--quiet"};
    for (const std::string& setting : settings) {
      words.insert(words.end(), {"--set", setting});
    }
    const ProcessOutcome outcome = kantor(words);
    ASSERT_TRUE(outcome.exit_code == 0 || outcome.exit_code == 4) << outcome.err;
  }
  ProcessOutcome python(const std::vector<std::string>& words) const {
    std::vector<std::string> command = {
        KANTOR_PYTHON, concat(KANTOR_SOURCE, "/experiments/python/evaluate_potential.py")};
    command.insert(command.end(), words.begin(), words.end());
    return run_process(command, folder().path().string(), 120);
  }
  /// Largest difference over the largest value.
  static double difference(const std::vector<double>& a, const std::vector<double>& b) {
    EXPECT_EQ(a.size(), b.size());
    double largest = 0;
    double apart = 0;
    for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
      largest = std::max(largest, std::abs(b[i]));
      apart = std::max(apart, std::abs(a[i] - b[i]));
    }
    EXPECT_GT(largest, 0.01);
    return apart / largest;
  }
  /// Python gives at new points what eval gives, and at x.npy what the run has stored.
  void expect_same_potential(double stored_tolerance) const {
    write_points("far.npy", 20, 2, -400);  // where exp overflows and softplus is a line
    for (const std::string points : {"y.npy", "far.npy"}) {
      SCOPED_TRACE(points);
      ASSERT_EQ(kantor({"eval", "out", "--points", points, "--out", "new"}).exit_code, 0);
      expect_python(points, vector("new/potential.npy"), 1e-12);  // both in double
      std::filesystem::remove_all(folder().path() / "new");
    }
    expect_python("x.npy", vector("out/potentials/0.npy"), stored_tolerance);
    std::filesystem::remove_all(folder().path() / "out");
  }
  void expect_python(const std::string& points, const std::vector<double>& expected,
                     double tolerance) const {
    const ProcessOutcome outcome = python({"out", points, "py.npy"});
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_EQ(outcome.err, "");
    EXPECT_LE(difference(vector("py.npy"), expected), tolerance);
  }

  void use_safetensors(const std::string& key) const {
    write_problem("problem.toml", "0.5", "path = \"x.safetensors\"" + key, "path = \"y.npy\"");
  }
  void write_hostile(std::uint64_t length, const std::string& rest) const {
    std::string bytes(8, '\0');
    for (std::size_t i = 0; i < 8; ++i) bytes[i] = static_cast<char>(length >> (8 * i) & 0xff);
    write("x.safetensors", bytes + rest);
  }
  void expect_hostile_refused(const std::string& header, std::size_t data_bytes) const {
    SCOPED_TRACE(header.substr(0, 100));
    write_hostile(header.size(), header + std::string(data_bytes, '\1'));
    expect_run_refused(3, {"x.safetensors"});
  }
};

TEST_F(Exchange, rebuilds_the_potential_with_numpy_for_every_activation) {
  for (const std::string activation : {"silu", "relu", "gelu", "tanh", "softplus"}) {
    SCOPED_TRACE(activation);
    // Without the quadratic term the network is all there is.
    solve({"solver.neural.network.activation=" + activation,
           "solver.neural.network.quadratic=false"});
    expect_same_potential(1e-12);
  }
}

TEST_F(Exchange, rebuilds_the_potential_with_its_quadratic_term_and_two_layers) {
  solve({"solver.neural.network.width=[8, 5]"});
  expect_same_potential(1e-12);
}

TEST_F(Exchange, rebuilds_the_potential_of_a_float32_run) {
  solve({"run.precision=float32"});
  // The run evaluates in float: inputs, two layers of at most 8 products and the quadratic term,
  // whose parts cancel by up to a factor of 10 here. 32 operations, each a rounding of 6e-8.
  expect_same_potential(10 * 32 * 6e-8);
}

/// eval and Python treat points as the run treated its own, or leave them as they are.
TEST_F(Exchange, rebuilds_the_potential_of_points_that_were_scaled_or_directions) {
  write_problem("problem.toml", "0.5", "path = \"x.npy\"\nscale = 0.5", "path = \"y.npy\"");
  for (const std::string cost : {"sqeuclidean", "cosine"}) {
    SCOPED_TRACE(cost);
    solve({"problem.cost=" + cost});
    for (const std::string flag : {"--as-is", "--marginal=0"}) {  // the second says nothing new
      ASSERT_EQ(kantor({"eval", "out", "--points", "y.npy", "--out", "new", flag}).exit_code, 0);
      std::vector<std::string> words = {"out", "y.npy", "py.npy"};
      if (flag == "--as-is") words.insert(words.begin(), flag);
      const ProcessOutcome outcome = python(words);
      ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
      EXPECT_LE(difference(vector("py.npy"), vector("new/potential.npy")), 1e-12) << flag;
      std::filesystem::remove_all(folder().path() / "new");
    }
    expect_python("x.npy", vector("out/potentials/0.npy"), 1e-12);
    std::filesystem::remove_all(folder().path() / "out");
  }
}

TEST_F(Exchange, prints_the_values_when_python_is_given_no_output) {
  solve({});
  const ProcessOutcome outcome = python({"out", "y.npy"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(std::count(outcome.out.begin(), outcome.out.end(), '\n'), 50);
  const ProcessOutcome usage = python({"out"});
  EXPECT_EQ(usage.exit_code, 1);
  EXPECT_NE(usage.err.find("usage:"), std::string::npos);
}

TEST_F(Exchange, takes_marginals_from_safetensors) {
  ASSERT_EQ(
      kantor({"run", "problem.toml", "--out", "npy", "--quiet", "--set", "solver.name=sinkhorn"})
          .exit_code,
      0);
  const auto source = data::open_npy(folder().file("x.npy"));
  std::vector<std::int64_t> rows(40);
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<std::int64_t>(i);
  std::vector<double> values(80);
  source->read(rows, values.data());
  data::write_safetensors(
      folder().file("x.safetensors"),
      {{.name = "other", .shape = {1}, .values = {3}, .is_float64 = false},
       {.name = "latents/0", .shape = {40, 2}, .values = values, .is_float64 = true}},
      {});
  use_safetensors("\nkey = \"latents/0\"");
  const ProcessOutcome outcome =
      kantor({"run", "problem.toml", "--out", "out", "--quiet", "--set", "solver.name=sinkhorn"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  for (const char* name : {"/potentials/0.npy", "/potentials/1.npy"}) {
    EXPECT_EQ(read(std::string("out") + name), read(std::string("npy") + name)) << name;
  }
}

TEST_F(Exchange, refuses_safetensors_keys_that_do_not_fit) {
  data::write_safetensors(folder().file("x.safetensors"),
                          {{.name = "a", .shape = {2, 1}, .values = {1, 2}, .is_float64 = true},
                           {.name = "b", .shape = {1, 1, 1}, .values = {1}, .is_float64 = true}},
                          {});
  use_safetensors("");
  expect_run_refused(78, {"key", "\"a\"", "\"b\""});
  use_safetensors("\nkey = \"c\"");
  expect_run_refused(78, {"\"c\"", "\"a\""});
  use_safetensors("\nkey = \"b\"");
  expect_run_refused(3, {"\"b\"", "3 dimensions"});
  write_problem("problem.toml", "0.5", "path = \"x.npy\"\nkey = \"a\"", "path = \"y.npy\"");
  expect_run_refused(78, {"key", ".safetensors"});
}

TEST_F(Exchange, refuses_hostile_safetensors_in_one_line) {
  use_safetensors("");
  const std::string a = R"({"a":{"dtype":"F64","shape":[1,1],"data_offsets":[0,8]})";
  for (const std::uint64_t length : {std::uint64_t{1} << 63, ~std::uint64_t{0},
                                     std::uint64_t{100'000'001}, std::uint64_t{1000}}) {
    write_hostile(length, a + "}12345678");
    expect_run_refused(3, {"x.safetensors", concat(length)});
  }
  // Overlap, hole, name given twice, a type that lies, sizes that overflow, too short, too long.
  expect_hostile_refused(a + R"(,"b":{"dtype":"F64","shape":[1],"data_offsets":[4,12]}})", 12);
  expect_hostile_refused(a + R"(,"b":{"dtype":"F64","shape":[1],"data_offsets":[16,24]}})", 24);
  expect_hostile_refused(a + ',' + a.substr(1) + '}', 8);
  expect_hostile_refused(R"({"a":{"dtype":"F32","shape":[1,1],"data_offsets":[0,8]}})", 8);
  expect_hostile_refused(
      R"({"a":{"dtype":"F64","shape":[4294967296,4294967296],"data_offsets":[0,0]}})", 0);
  expect_hostile_refused(R"({"a":{"dtype":"F64","shape":[-1,-1],"data_offsets":[0,8]}})", 8);
  expect_hostile_refused(a + "}", 7);
  expect_hostile_refused(a + "}", 9);
  expect_hostile_refused(std::string(100000, '['), 0);
  expect_hostile_refused("{\"a\n\x1b[31m\":1}", 0);
}

}  // namespace
}  // namespace kantor::test
