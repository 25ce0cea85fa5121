#include "launch/session.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <span>

#include "distributed/nccl/cuda_facts.hpp"
#include "distributed/nccl/nccl.hpp"
#include "distributed/shared_gpus.hpp"
#include "launch/torch_setup.hpp"
#include "runtime/core/error.hpp"
#include "runtime/core/instruction_set.hpp"
#include "runtime/core/process.hpp"

namespace kantor::launch {
namespace {

/// The ranks of a host share its cores. A launcher that has already bound each rank to cores of its
/// own leaves few available ones, of which one is always used.
int threads_of(const RunConfig& run, const Communicator& world) {
  if (run.threads > 0) return static_cast<int>(run.threads);
  return std::max(1, num_available_cores() / std::max(1, world.local_size()));
}

std::vector<std::string> gather_hosts(Communicator& world) {
  constexpr std::size_t kWidth = 64;  // of one name; longer ones are cut
  std::vector<std::byte> mine(kWidth);
  const std::string name = host_name().substr(0, kWidth - 1);
  std::memcpy(mine.data(), name.data(), name.size());
  std::vector<std::byte> all(kWidth * static_cast<std::size_t>(world.size()));
  world.all_gather(std::span<const std::byte>(mine), std::span<std::byte>(all), "host names");
  std::vector<std::string> hosts;
  for (std::size_t first = 0; first < all.size(); first += kWidth) {
    hosts.emplace_back(reinterpret_cast<const char*>(&all[first]));  // ends in at least one zero
  }
  return hosts;
}

}  // namespace

std::string launcher_fault(const LaunchEnvironment& launched, const Communicator& world) {
  if (launched.num_ranks <= world.size()) return "";
  return concat(launched.source, " announces ", launched.num_ranks, " ranks, but MPI has ",
                world.size(),
                ": the launcher does not belong to the MPI library that kantor was built with (",
                "use its mpirun, or srun --mpi=pmix), or has left the variable behind (unset it)");
}

std::string instruction_set_fault(Communicator& world) {
  const auto mine = static_cast<std::int64_t>(instruction_set());
  const std::int64_t best = world.agree(mine, "the instruction set");
  const std::int64_t least = -world.agree(-mine, "the instruction set");
  if (best == least) return "";
  const char* least_name = name_of(static_cast<InstructionSet>(least));
  return concat("ranks work with different instruction sets, ", least_name, " to ",
                name_of(static_cast<InstructionSet>(best)), "; let all use one: mpirun -x ",
                kInstructionSetVariable, "=", least_name);
}

std::vector<std::unique_ptr<Communicator>> make_ranks(const RunConfig& run, bool any_launcher) {
  const LaunchEnvironment launched = launch_environment();
  if (run.backend == "thread" && launched.num_ranks == 1) {
    const int num_ranks = run.ranks > 0 ? static_cast<int>(run.ranks) : num_available_cores();
    return make_thread_communicators({.num_ranks = num_ranks, .timeout_s = run.timeout_s});
  }
  // Under a launcher MPI is brought up whatever the configuration says, so that an error can be
  // agreed on and printed once.
  const bool use_mpi = launched.under_launcher || run.backend == "mpi";
  auto world =
      use_mpi ? make_mpi_communicator({.timeout_s = run.timeout_s}) : make_self_communicator();
  const std::string fault = launcher_fault(launched, *world);
  if (!fault.empty() && !any_launcher) throw ConfigError(fault);
  if (run.deterministic == "strict") {
    return make_strict_communicators(std::move(world), run.timeout_s);
  }
  std::vector<std::unique_ptr<Communicator>> ranks;
  ranks.push_back(std::move(world));
  return ranks;
}

std::unique_ptr<Communicator> make_device_communicator(Communicator& host, const RunConfig& run) {
  if (run.backend != "nccl") return nullptr;
  // Bringing up thousands of ranks takes longer than one collective.
  return make_nccl_communicator(host, {.timeout_s = run.timeout_s,
                                       .init_timeout_s = 5 * run.timeout_s,
                                       .allow_gpu_sharing = run.allow_gpu_sharing,
                                       .stream = device_stream(run, host)});
}

Session::Session(Communicator& world_, const RunConfig& run_, bool quiet_)
    : world(world_),
      run(run_),
      pool(threads_of(run_, world_)),
      log({.rank = world_.rank(), .quiet = quiet_}),
      quiet(quiet_),
      start_s(monotonic_seconds()) {}

namespace {

/// As `kantor doctor` says it.
std::string gpu_libraries() {
  try {
    const CudaFacts cuda = describe_cuda();
    return concat("CUDA runtime ", cuda_version_text(cuda.cuda_runtime), ", ", cuda.cuda_path,
                  "; NCCL ", nccl_version_text(cuda.nccl), ", ", cuda.nccl_path);
  } catch (const ConfigError& error) {
    return error.what();
  }
}

}  // namespace

RunFacts gather_facts(Session& session) {
  RunFacts facts;
  facts.world_size = session.world.size();
  facts.backend = session.world.backend_name();
  facts.device = session.run.device == "cuda" ? "cuda" : "cpu";
  facts.precision = session.run.precision;
  facts.instruction_set = name_of(instruction_set());
  facts.threads = session.pool.num_threads();
  facts.hosts = gather_hosts(session.world);
  const bool has_nccl = session.run.backend == "nccl";  // which refuses to share, or was allowed to
  if (facts.device == "cuda" || has_nccl) facts.gpu_libraries = gpu_libraries();
  if (facts.device == "cuda" && !has_nccl) facts.shared_gpus = shared_gpus(session.world);
  std::int64_t peak = peak_resident_bytes();
  session.world.all_reduce(std::span<std::int64_t>(&peak, 1), ReduceOp::max, "peak memory");
  facts.peak_memory_bytes = peak;
  return facts;
}

}  // namespace kantor::launch
