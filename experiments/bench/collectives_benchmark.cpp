// Time of one collective on float32 buffers: one rank, ranks as threads, or under mpirun the ranks
// of MPI (rank 0 reports; every rank gets the same arguments). The number of calls follows from the
// size alone, so that all ranks make the same calls. `bytes_per_second` counts the buffer once.
//
//   collectives_benchmark --benchmark_repetitions=5
//   mpirun -np 2 collectives_benchmark --benchmark_repetitions=5 --benchmark_format=json

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "distributed/communicator.hpp"
#include "runtime/core/error.hpp"

namespace kantor {
namespace {

constexpr double kTimeout_s = 60;

/// One call on this rank's buffers. P ranks, [P * part] floats.
enum class Verb { all_reduce, all_gather, reduce_scatter };
const char* name(Verb verb) {
  if (verb == Verb::all_reduce) return "all_reduce";
  return verb == Verb::all_gather ? "all_gather" : "reduce_scatter";
}

class Rank {
 public:
  Rank(Verb verb, Communicator& world, std::int64_t count)
      : verb_(verb),
        world_(world),
        part_(static_cast<std::size_t>((count + world.size() - 1) / world.size())),
        all_(part_.size() * static_cast<std::size_t>(world.size())) {}

  void call() {
    if (verb_ == Verb::all_reduce) world_.all_reduce<float>(all_, ReduceOp::sum, "benchmark");
    if (verb_ == Verb::all_gather) world_.all_gather<float>(part_, all_, "benchmark");
    if (verb_ == Verb::reduce_scatter) world_.reduce_scatter<float>(all_, part_, "benchmark");
  }
  std::int64_t bytes() const { return static_cast<std::int64_t>(all_.size() * sizeof(float)); }

 private:
  Verb verb_;
  Communicator& world_;
  std::vector<float> part_;
  std::vector<float> all_;  // zeros: sums of sums stay finite
};

void alone(benchmark::State& state, Verb verb, Communicator& world, std::int64_t count) {
  Rank rank(verb, world, count);
  world.barrier("benchmark");
  for (auto _ : state) rank.call();
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) * rank.bytes());
}

/// This thread is rank 0 and measures; the others make the same number of calls.
void on_threads(benchmark::State& state, Verb verb, int num_ranks, std::int64_t count) {
  const auto worlds = make_thread_communicators({.num_ranks = num_ranks, .timeout_s = kTimeout_s});
  std::vector<std::jthread> peers;
  for (std::size_t r = 1; r < worlds.size(); ++r) {
    peers.emplace_back([&state, verb, &world = *worlds[r], count] {
      Rank rank(verb, world, count);
      world.barrier("benchmark");
      for (std::int64_t i = 0; i < static_cast<std::int64_t>(state.max_iterations); ++i) {
        rank.call();
      }
    });
  }
  alone(state, verb, *worlds[0], count);
}

std::int64_t num_calls(std::int64_t count) {
  constexpr std::int64_t kFloatsInAll = 1 << 23;
  return std::clamp<std::int64_t>(kFloatsInAll / count, 30, 2000);
}

template <class Body>
void add(const std::string& backend, int num_ranks, const Body& body) {
  // A batch; values of a batch of 2,048; parameters of the 128 x 128 network at d = 16, and of the
  // 512 x 512 network at d = 784.
  for (const std::int64_t count : {512, 2048, 18817, 665089}) {
    for (const Verb verb : {Verb::all_reduce, Verb::all_gather, Verb::reduce_scatter}) {
      const std::string title =
          concat(name(verb), "/", backend, "/ranks:", num_ranks, "/floats:", count);
      benchmark::RegisterBenchmark(title.c_str(),
                                   [=](benchmark::State& state) { body(state, verb, count); })
          ->Iterations(num_calls(count))
          ->UseRealTime()
          ->Unit(benchmark::kMicrosecond);
    }
  }
}

class Silent final : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context&) override { return true; }
  void ReportRuns(const std::vector<Run>&) override {}
};

void run(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) {
    throw UsageError("collectives_benchmark takes Google Benchmark's arguments only");
  }
  if (launch_environment().under_launcher) {
    const auto world = make_mpi_communicator({.timeout_s = kTimeout_s});
    add("mpi", world->size(), [&world](benchmark::State& state, Verb verb, std::int64_t count) {
      alone(state, verb, *world, count);
    });
    Silent silent;
    if (world->rank() == 0) {
      benchmark::RunSpecifiedBenchmarks();
    } else {
      benchmark::RunSpecifiedBenchmarks(&silent);
    }
    world->finish();
    return;
  }
  const auto self = make_self_communicator();
  add("self", 1, [&self](benchmark::State& state, Verb verb, std::int64_t count) {
    alone(state, verb, *self, count);
  });
  for (const int num_ranks : {2, 4}) {
    add("thread", num_ranks, [num_ranks](benchmark::State& state, Verb verb, std::int64_t count) {
      on_threads(state, verb, num_ranks, count);
    });
  }
  benchmark::RunSpecifiedBenchmarks();
}

}  // namespace
}  // namespace kantor

int main(int argc, char** argv) {
  try {
    kantor::run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "collectives_benchmark: %s\n", error.what());
    return 1;
  }
  return 0;
}
