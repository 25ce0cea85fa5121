#pragma once

// The built binary, run as a person would, in a folder of its own.

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/subprocess.hpp"
#include "tests/support/temporary_directory.hpp"

namespace kantor::test {

class Launch : public testing::Test {
 protected:
  /// kantor WORDS..., in the test's folder.
  ProcessOutcome kantor(const std::vector<std::string>& words) const;
  /// mpirun -np RANKS kantor WORDS..., with the environment of launch/environment.sh.
  ProcessOutcome kantor_on_ranks(int num_ranks, const std::vector<std::string>& words) const;
  /// The same, at work: kantor WORDS... itself, or, on several ranks, mpirun.
  std::unique_ptr<Process> start(int num_ranks, const std::vector<std::string>& words) const;
  /// mpirun -np RANKS of a shell script in the test's folder, which calls "$KANTOR".
  ProcessOutcome script_on_ranks(int num_ranks, const std::string& script) const;

  const TemporaryDirectory& folder() const { return folder_; }
  bool exists(const std::string& name) const;
  std::string read(const std::string& name) const;
  void write(const std::string& name, const std::string& text) const;

  /// A cloud of float64 points, n x d (d up to 4): a fixed lattice in [shift, shift + 1)^d.
  void write_points(const std::string& name, std::int64_t n, std::int64_t d, double shift) const;
  /// x.npy [40, 2], y.npy [50, 2] and a problem file for them that is solved in a second.
  void write_small_problem(const std::string& name = "problem.toml") const;
  /// The problem file alone, around the given lines of [problem] and marginals.
  void write_problem(const std::string& name, const std::string& epsilon, const std::string& first,
                     const std::string& second) const;

  /// The outcome is a refusal: this exit code, one error line that holds all the words.
  void expect_refused(const ProcessOutcome& outcome, int exit_code,
                      const std::vector<std::string>& words) const;
  /// Runs `kantor run problem.toml` (plus words) and expects the refusal, with nothing written.
  void expect_run_refused(int exit_code, const std::vector<std::string>& words,
                          const std::vector<std::string>& more = {}) const;

 private:
  std::vector<std::string> mpirun(int num_ranks, const std::string& script) const;

  TemporaryDirectory folder_;
};

/// Lines of a text that start with "kantor: error:".
std::vector<std::string> error_lines(const std::string& text);

}  // namespace kantor::test
