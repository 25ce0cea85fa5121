#include "tests/launch/launch_fixture.hpp"

#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include "runtime/core/error.hpp"
#include "runtime/data/npy.hpp"

namespace kantor::test {
namespace {

constexpr double kDeadlineS = 120;  // far beyond any run here; a hang ends as a failure

constexpr const char* kSmallSolvers = R"([solver.neural]
steps = 60
batch = 32
network = { width = [8] }
[solver.sinkhorn]
tolerance = 1e-9
[run]
precision = "float64"
)";

std::string script_of(const std::vector<std::string>& words) {
  std::string script = "exec \"$KANTOR\"";
  for (const std::string& word : words) script += " '" + word + "'";
  return script;
}

}  // namespace

ProcessOutcome Launch::kantor(const std::vector<std::string>& words) const {
  std::vector<std::string> command = {KANTOR_BINARY};
  command.insert(command.end(), words.begin(), words.end());
  return run_process(command, folder_.path().string(), kDeadlineS);
}

std::vector<std::string> Launch::mpirun(int num_ranks, const std::string& script) const {
  write("on_each_rank.sh", script);
  return {"bash", "-c",
          concat("export KANTOR='", KANTOR_BINARY, "'; . '", KANTOR_SOURCE,
                 "/launch/environment.sh'; exec mpirun -np ", num_ranks, " bash on_each_rank.sh")};
}

ProcessOutcome Launch::script_on_ranks(int num_ranks, const std::string& script) const {
  return run_process(mpirun(num_ranks, script), folder_.path().string(), kDeadlineS);
}

ProcessOutcome Launch::kantor_on_ranks(int num_ranks, const std::vector<std::string>& words) const {
  return script_on_ranks(num_ranks, script_of(words));
}

std::unique_ptr<Process> Launch::start(int num_ranks, const std::vector<std::string>& words) const {
  std::vector<std::string> command = {KANTOR_BINARY};
  command.insert(command.end(), words.begin(), words.end());
  if (num_ranks > 1) command = mpirun(num_ranks, script_of(words));
  return std::make_unique<Process>(command, folder_.path().string());
}

bool Launch::exists(const std::string& name) const {
  return std::filesystem::exists(folder_.path() / name);
}

std::string Launch::read(const std::string& name) const {
  std::ifstream stream(folder_.path() / name, std::ios::binary);
  if (!stream) throw std::runtime_error("no file " + name);
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

void Launch::write(const std::string& name, const std::string& text) const {
  std::ofstream stream(folder_.path() / name, std::ios::binary);
  stream << text;
  if (!stream.flush()) throw std::runtime_error("cannot write " + name);
}

void Launch::write_points(const std::string& name, std::int64_t n, std::int64_t d,
                          double shift) const {
  std::vector<double> values;
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::int64_t k = 0; k < d; ++k) {
      // Fractions of multiples of irrational numbers fill the unit cube evenly.
      constexpr double kPrimes[] = {2, 3, 5, 7};
      const double x = static_cast<double>(i + 1) * std::sqrt(kPrimes[k]);
      values.push_back(x - std::floor(x) + shift);
    }
  }
  data::write_npy(folder_.file(name), values, std::vector<std::int64_t>{n, d});
}

void Launch::write_problem(const std::string& name, const std::string& epsilon,
                           const std::string& first, const std::string& second) const {
  write(name, concat("[problem]\nepsilon = ", epsilon, "\n[[problem.marginals]]\n", first,
                     "\n[[problem.marginals]]\n", second, "\n", kSmallSolvers));
}

void Launch::write_small_problem(const std::string& name) const {
  write_points("x.npy", 40, 2, 0);
  write_points("y.npy", 50, 2, 0.5);
  write_problem(name, "0.5", "path = \"x.npy\"", "path = \"y.npy\"");
}

void Launch::expect_refused(const ProcessOutcome& outcome, int exit_code,
                            const std::vector<std::string>& words) const {
  EXPECT_FALSE(outcome.timed_out);
  EXPECT_EQ(outcome.exit_code, exit_code) << outcome.err;
  const std::vector<std::string> lines = error_lines(outcome.err);
  ASSERT_EQ(lines.size(), 1u) << outcome.err;
  for (const std::string& word : words) {
    EXPECT_NE(lines.front().find(word), std::string::npos)
        << "'" << word << "' is not in: " << lines.front();
  }
}

void Launch::expect_run_refused(int exit_code, const std::vector<std::string>& words,
                                const std::vector<std::string>& more) const {
  std::vector<std::string> command = {"run", "problem.toml", "--out", "out"};
  command.insert(command.end(), more.begin(), more.end());
  const ProcessOutcome outcome = kantor(command);
  expect_refused(outcome, exit_code, words);
  EXPECT_EQ(outcome.out, "");
  // The error is all there is: no warning before it, no trace after it.
  EXPECT_TRUE(outcome.err.starts_with("kantor: error:")) << outcome.err;
  EXPECT_EQ(outcome.err.find('\n'), outcome.err.size() - 1) << outcome.err;
  EXPECT_FALSE(exists("out"));
}

std::vector<std::string> error_lines(const std::string& text) {
  std::vector<std::string> found;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    if (line.starts_with("kantor: error:")) found.push_back(line);
  }
  return found;
}

}  // namespace kantor::test
