#include "distributed/context.hpp"

#include "runtime/core/error.hpp"

namespace kantor {

void CheckpointConfig::describe(config::Fields& fields) {
  fields.add("every_seconds", every_seconds, "seconds between checkpoints; 0 = not by time")
      .at_least(0);
  fields.add("every_steps", every_steps, "steps between checkpoints; 0 = not by steps").at_least(0);
  fields.add("keep", keep, "newest checkpoints that stay: one may be damaged").at_least(2);
}

namespace {

/// false | true | "strict"
void describe_deterministic(config::Fields& fields, std::string& deterministic) {
  constexpr const char* kMeaning =
      "false, true, or \"strict\": the same bits on 1, 2, 4, 8 processes";
  const config::Value* given = fields.raw("deterministic", kMeaning, "true, false or \"strict\"");
  if (given == nullptr) {
    fields.resolve_raw("deterministic", {false, "default", ""});
    return;
  }
  if (const bool* yes = std::get_if<bool>(&given->data)) {
    deterministic = *yes ? "true" : "false";
    return;
  }
  const auto* word = std::get_if<std::string>(&given->data);
  if (word == nullptr || *word != "strict") {
    throw ConfigError(concat(fields.where("deterministic"), " is ", config::to_toml_inline(*given),
                             "; expected ", kMeaning));
  }
  deterministic = *word;
}

}  // namespace

void RunConfig::describe(config::Fields& fields) {
  fields.add("seed", seed, "all random numbers follow from it").at_least(0);
  fields.add_choice("device", device, {"auto", "cpu", "cuda"},
                    "where networks and batches live; auto: cpu");
  fields.add_choice("backend", backend, {"auto", "self", "thread", "mpi", "nccl"},
                    "how ranks talk; auto: mpi under mpirun or srun");
  fields.add("ranks", ranks, "ranks of backend \"thread\" in this process; 0 = one per core")
      .between(0, 1024);
  fields.add("threads", threads, "worker threads per rank; 0 = fair share of the cores")
      .between(0, 1024);
  fields.add_choice("precision", precision, {"float32", "float64"}, "of networks and tiles");
  fields.add("timeout_s", timeout_s, "deadline of one collective, seconds").above(0);
  fields
      .add("max_wall_s", max_wall_s,
           "the run stops with a checkpoint before it has taken so long, seconds; 0 = no limit")
      .at_least(0);
  describe_deterministic(fields, deterministic);
  fields.add_struct("checkpoint", checkpoint, "when the state is saved");
  fields.add("allow_gpu_sharing", allow_gpu_sharing,
             "backend nccl: allow several ranks on one GPU (NCCL 2.30.3 or later)");
}

void RunConfig::check() const {
  if (ranks > 0 && backend != "thread") {
    throw ConfigError(concat("run.ranks is ", ranks, " with run.backend = \"", backend,
                             "\"; it counts the ranks of backend \"thread\" (set both), those of "
                             "\"mpi\" are mpirun's"));
  }
  if (device == "cuda" && (backend == "thread" || deterministic == "strict")) {
    throw ConfigError(
        concat("run.device = \"cuda\" does not go with ",
               backend == "thread" ? "run.backend = \"thread\"" : "run.deterministic = \"strict\"",
               ", which is for the CPU"));
  }
  if (deterministic == "strict" && backend != "auto" && backend != "mpi") {
    throw ConfigError(concat("run.deterministic = \"strict\" brings ranks of its own, ",
                             kStrictRanks, " threads spread over the processes; run.backend = \"",
                             backend, "\" does not fit, use \"auto\""));
  }
}

}  // namespace kantor
