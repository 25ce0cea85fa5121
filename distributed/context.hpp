#pragma once

// What a run hands down to every part: nothing of it is global, so that ranks can be threads.

#include <cstdint>
#include <string>

#include "distributed/communicator.hpp"
#include "distributed/interruption.hpp"
#include "runtime/config/reader.hpp"
#include "runtime/core/log.hpp"
#include "runtime/core/profile.hpp"
#include "runtime/core/thread_pool.hpp"
#include "runtime/metrics/metrics_file.hpp"

namespace kantor {

/// checkpoint = { every_seconds = 120, every_steps = 0, keep = 3 }
struct CheckpointConfig {
  double every_seconds = 120;    ///< 0 = not by time
  std::int64_t every_steps = 0;  ///< 0 = not by steps
  std::int64_t keep = 3;         ///< newest files that stay

  void describe(config::Fields& fields);
};

/// [run]
struct RunConfig {
  std::int64_t seed = 0;
  std::string device = "auto";        ///< auto (the CPU) | cpu | cuda
  std::string backend = "auto";       ///< auto | self | thread | mpi | nccl
  std::int64_t ranks = 0;             ///< backend "thread" only; 0 = one per core
  std::int64_t threads = 0;           ///< worker threads per rank; 0 = fair share of the cores
  std::string precision = "float32";  ///< float32 | float64
  double timeout_s = 60;              ///< deadline of one collective
  bool allow_gpu_sharing = false;     ///< backend nccl: several ranks on one GPU
  double max_wall_s = 0;              ///< the run stops with a checkpoint before; 0 = no limit
  CheckpointConfig checkpoint;
  /// "false": the same bits for the same ranks, as it happens; "true": promised; "strict": for any
  /// number of processes.
  std::string deterministic = "false";

  void describe(config::Fields& fields);
  void check() const;
  bool is_double() const { return precision == "float64"; }
};

/// What reduces over a rank's pairs in place of the host. The solvers know what it does.
class PairReducer {
 public:
  virtual ~PairReducer() = default;
};

struct Context {
  const RunConfig& run;
  Communicator& world;
  ThreadPool& pool;
  Log& log;
  metrics::MetricsFile& metrics;
  Checkpoints& checkpoints;
  bool show_progress = false;           ///< rank 0 without --quiet
  StopSource* stop = nullptr;           ///< null: nobody will ask
  PairReducer* pair_reducer = nullptr;  ///< null: the host does
  Profile profile = {};

  bool stop_requested() const { return stop != nullptr && stop->requested(); }
};

/// What `work` gives for the type of run.precision: []<class T>() { .. }.
template <class Work>
auto in_precision(const Context& context, const Work& work) {
  return context.run.is_double() ? work.template operator()<double>()
                                 : work.template operator()<float>();
}

}  // namespace kantor
