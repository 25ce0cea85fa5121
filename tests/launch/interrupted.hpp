#pragma once

// Runs that end early and go on: how they are started, watched, cut and compared.

#include <map>
#include <nlohmann/json.hpp>

#include "tests/launch/launch_fixture.hpp"

namespace kantor::test {

/// Where the ranks of a run are.
struct Placement {
  const char* name;
  int processes;  ///< more than one: under mpirun
  int threads;    ///< ranks of backend "thread"; 0: another back end
};
inline constexpr Placement kAlone{"alone", 1, 0};
inline constexpr Placement kTwoProcesses{"two_processes", 2, 0};
inline constexpr Placement kThreeProcesses{"three_processes", 3, 0};
inline constexpr Placement kTwoThreads{"two_threads", 1, 2};

/// What a run says of itself, less what differs from machine to machine and from hour to hour.
nlohmann::ordered_json without_times(nlohmann::ordered_json result);

class Interrupted : public Launch {
 protected:
  using Words = std::vector<std::string>;
  static constexpr double kPatience_s = 120;  // far beyond any run here

  Interrupted() { write_small_problem(); }

  /// run problem.toml --out OUT, with `--set` before each setting.
  static Words words(const std::string& out, const Placement& where, const Words& settings,
                     const Words& more = {"--quiet"});
  ProcessOutcome run(const std::string& out, const Placement& where, const Words& settings,
                     const Words& more = {"--quiet"}) const;
  std::unique_ptr<Process> start_run(const std::string& out, const Placement& where,
                                     const Words& settings, const Words& more = {"--quiet"}) const;
  ProcessOutcome resume(const std::string& out, const Placement& where,
                        const Words& settings) const {
    return run(out, where, settings, {"--resume"});
  }

  nlohmann::json json(const std::string& name) const { return nlohmann::json::parse(read(name)); }
  /// Steps of the checkpoint files, ascending.
  std::vector<std::int64_t> saved_steps(const std::string& out) const;
  std::string checkpoint(const std::string& out, std::int64_t step) const;
  /// The last step of a phase in metrics.jsonl so far; -1 if none.
  std::int64_t reached(const std::string& out, const std::string& phase) const;
  /// Every line is whole, and the steps of the phase end with this one.
  void expect_whole_metrics(const std::string& out, const std::string& phase,
                            std::int64_t last) const;
  /// Every file below, by its path.
  std::map<std::string, std::string> contents(const std::string& out) const;
  void expect_same_results(const std::string& a, const std::string& b) const;
  /// 75, no error, STATUS "stopped" for that reason at the step of the newest checkpoint.
  void expect_stopped(const ProcessOutcome& outcome, const std::string& out,
                      const std::string& reason) const;

  /// A copy of a finished run as a kill after a save of that step leaves it, with half a line of
  /// metrics. The run must have kept that checkpoint.
  void cut(const std::string& from, const std::string& to, std::int64_t step) const;
  /// Living processes of the program in the test's folder, by rank.
  std::map<int, pid_t> processes() const;
};

}  // namespace kantor::test
