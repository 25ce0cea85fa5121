#pragma once

// What a run hands down to every part: nothing of it is global, so that ranks can be threads.

#include <atomic>
#include <cstdint>
#include <string>

#include "distributed/communicator.hpp"
#include "runtime/config/reader.hpp"
#include "runtime/core/log.hpp"
#include "runtime/core/thread_pool.hpp"
#include "runtime/metrics/metrics_file.hpp"

namespace kantor {

/// [run]
struct RunConfig {
  std::int64_t seed = 0;
  std::string device = "auto";        ///< auto | cpu
  std::string backend = "auto";       ///< auto | self | thread | mpi
  std::int64_t ranks = 0;             ///< backend "thread" only; 0 = one per core
  std::int64_t threads = 0;           ///< worker threads per rank; 0 = fair share of the cores
  std::string precision = "float32";  ///< float32 | float64
  double timeout_s = 60;              ///< deadline of one collective

  void describe(config::Fields& fields);
  void check() const;
};

struct Context {
  const RunConfig& run;
  Communicator& world;
  ThreadPool& pool;
  Log& log;
  metrics::MetricsFile& metrics;
  bool show_progress = false;                    ///< rank 0 without --quiet
  const std::atomic<bool>* stop_flag = nullptr;  ///< set by whoever wants the run to end early

  bool stop_requested() const { return stop_flag != nullptr && stop_flag->load(); }
};

}  // namespace kantor
