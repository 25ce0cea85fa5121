#pragma once

// What a verb works with: the ranks, this rank's threads, log and metrics.

#include <memory>
#include <string>
#include <vector>

#include "distributed/context.hpp"
#include "launch/json_files.hpp"

namespace kantor::launch {

/// The ranks of this run that are in this process: one, or with backend "thread" all
/// of them, or with deterministic = "strict" its share of the eight.
/// @param any_launcher whether more ranks may have been announced than there are: for the doctor,
///                     who has a line for it. @throws ConfigError otherwise.
std::vector<std::unique_ptr<Communicator>> make_ranks(const RunConfig& run,
                                                      bool any_launcher = false);

/// Why launcher and MPI do not fit, or "".
std::string launcher_fault(const LaunchEnvironment& launched, const Communicator& world);

/// Ranks of several hosts may have several: sums would differ by rounding, and with them what the
/// ranks decide alike. @return why not, or "". Collective.
std::string instruction_set_fault(Communicator& world);

/// The back end that works on top of those ranks, if the run asks for one (nccl); else nothing.
/// Collective; all ranks fail alike.
std::unique_ptr<Communicator> make_device_communicator(Communicator& host, const RunConfig& run);

struct Session {
  Session(Communicator& world_, const RunConfig& run_, bool quiet_);

  Communicator& world;
  RunConfig run;
  ThreadPool pool;
  Log log;
  metrics::MetricsFile metrics;  ///< goes nowhere until a run directory exists
  Checkpoints no_checkpoints;
  bool quiet;
  std::vector<std::string> command_line;
  double start_s;  ///< monotonic

  bool is_first() const { return world.rank() == 0; }
  /// @param checkpoints of a run that can be interrupted.
  Context context(Checkpoints& checkpoints, StopSource* stop) {
    return {run, world, pool, log, metrics, checkpoints, is_first() && !quiet, stop};
  }
  Context context() { return context(no_checkpoints, nullptr); }
};

/// Collective: hosts and peak memory are gathered from all ranks.
RunFacts gather_facts(Session& session);

}  // namespace kantor::launch
