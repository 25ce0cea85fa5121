// Time of the Adam update of one flat buffer, on one thread. Argument: number of parameters.
// `bytes_per_second` counts four reads (values, gradients, two moments) and three writes per
// parameter.

#include <benchmark/benchmark.h>
#include <torch/torch.h>

#include <cstdint>

#include "distributed/adam.hpp"

namespace kantor {
namespace {

void update(benchmark::State& state, at::ScalarType type) {
  at::set_num_threads(1);
  const torch::NoGradGuard no_grad;
  const OptimizerConfig config;
  const at::Tensor values = torch::randn({state.range(0)}, type);
  const at::Tensor gradients = torch::randn({state.range(0)}, type);
  Adam adam(config, values);
  const at::Tensor skip = torch::zeros({});
  for (auto _ : state) adam.update(gradients, 1e-6, skip);
  constexpr std::int64_t kPasses = 7;
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) * state.range(0) * kPasses *
                          values.element_size());
}

void sizes(benchmark::internal::Benchmark* benchmark) {
  benchmark->Unit(benchmark::kMicrosecond)->ArgName("parameters");
  // The 128 x 128 network at d = 16, the 512 x 512 network at d = 784, and beyond the caches.
  for (const std::int64_t count : {18817, 665089, 16000000}) benchmark->Arg(count);
}

BENCHMARK_CAPTURE(update, float32, torch::kFloat32)->Apply(sizes);
BENCHMARK_CAPTURE(update, float64, torch::kFloat64)->Apply(sizes);

}  // namespace
}  // namespace kantor

BENCHMARK_MAIN();
