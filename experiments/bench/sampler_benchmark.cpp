// Time of one draw of the counter-based sampler. Arguments: rows n, rows held out.

#include <benchmark/benchmark.h>

#include <cstdint>

#include "runtime/random/sampler.hpp"

namespace kantor::random {
namespace {

void draw(benchmark::State& state) {
  Sampler sampler(state.range(0), state.range(1), /*seed=*/1, /*marginal=*/0);
  std::int64_t number = 0;
  for (auto _ : state) benchmark::DoNotOptimize(sampler.row(number++));
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()));
}

/// What the start of a pass costs.
void first_draw_of_a_pass(benchmark::State& state) {
  Sampler sampler(state.range(0), 0, /*seed=*/1, /*marginal=*/0);
  std::int64_t number = 0;
  for (auto _ : state) benchmark::DoNotOptimize(sampler.row(number += state.range(0)));
}

BENCHMARK(draw)
    ->ArgNames({"n", "held_out"})
    ->Args({6000, 0})
    ->Args({6000, 600})
    ->Args({10000000, 0});
BENCHMARK(first_draw_of_a_pass)->ArgName("n")->Arg(6000)->Arg(10000000);

}  // namespace
}  // namespace kantor::random

BENCHMARK_MAIN();
