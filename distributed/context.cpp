#include "distributed/context.hpp"

#include "runtime/core/error.hpp"

namespace kantor {

void RunConfig::describe(config::Fields& fields) {
  fields.add("seed", seed, "all random numbers follow from it");
  fields.add_choice("device", device, {"auto", "cpu"}, "where tensors live");
  fields.add_choice("backend", backend, {"auto", "self", "thread", "mpi"},
                    "how ranks talk; auto: mpi under mpirun or srun");
  fields.add("ranks", ranks, "ranks of backend \"thread\" in this process; 0 = one per core");
  fields.add("threads", threads, "worker threads per rank; 0 = fair share of the cores");
  fields.add_choice("precision", precision, {"float32", "float64"}, "of networks and tiles");
  fields.add("timeout_s", timeout_s, "deadline of one collective, seconds");
}

void RunConfig::check() const {
  if (seed < 0) throw ConfigError(concat("run.seed is ", seed, "; expected 0 or more"));
  if (threads < 0 || threads > 1024) {
    throw ConfigError(concat("run.threads is ", threads, "; expected 0 (fair share) to 1024"));
  }
  if (ranks < 0 || ranks > 1024) {
    throw ConfigError(concat("run.ranks is ", ranks, "; expected 0 (one per core) to 1024"));
  }
  if (ranks > 0 && backend != "thread") {
    throw ConfigError(concat("run.ranks is ", ranks, " with run.backend = \"", backend,
                             "\"; it counts the ranks of backend \"thread\" (set both), those of "
                             "\"mpi\" are mpirun's"));
  }
  if (!(timeout_s > 0)) {
    throw ConfigError(
        concat("run.timeout_s is ", timeout_s, "; expected a positive number of seconds"));
  }
}

}  // namespace kantor
