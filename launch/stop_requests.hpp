#pragma once

// Who may ask a run to end early, with a checkpoint: a signal, a STOP file in the run directory,
// the end of the time it was given.

#include <cstdint>
#include <string>

#include "distributed/interruption.hpp"

namespace kantor::launch {

/// From now on SIGUSR1, SIGTERM, SIGHUP (a terminal that is gone; under nohup it stays ignored) and
/// the first SIGINT (Ctrl-C, which is answered by a line) ask every run of this process to stop; a
/// second SIGINT ends it at once. Once per process, before threads start.
void catch_stop_signals();

class StopRequests final : public StopSource {
 public:
  struct Options {
    std::string stop_file;  ///< looked for twice a second; empty: not on this rank
    double deadline_s = 0;  ///< monotonic_seconds() at which the run must have ended; 0 = none
  };
  explicit StopRequests(Options options) : options_(std::move(options)) {}

  /// Remembers a yes. Near the deadline it says yes while there is time for two more of the longest
  /// steps and saves so far.
  bool requested() override;
  /// What the first yes was for, as a number that ranks can agree on; 0 = nobody asked.
  std::int64_t cause() const { return cause_; }
  void note_save(double seconds);

 private:
  bool is_due(double now_s);

  Options options_;
  std::int64_t cause_ = 0;
  double last_call_s_ = 0;
  double last_look_s_ = 0;
  double longest_step_s_ = 0;
  double longest_save_s_ = 0;
};

/// The name of a cause, for people: "SIGUSR1", "the file STOP in the run directory", ..
std::string reason_of(std::int64_t cause);

/// The monotonic deadline of a run that may take max_wall_s seconds (0 = no limit) and whose batch
/// job, if Slurm told (SLURM_JOB_END_TIME), ends at some time of the clock. 0 = none.
double deadline_of(double start_s, double max_wall_s);

}  // namespace kantor::launch
