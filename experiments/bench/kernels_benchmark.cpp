// Time of the soft-min reduction on one thread. Arguments: N = M, D.
// `ns_per_pair` is CPU time over N M pairs, `gflops` counts the 2 D operations of the cross term.

#include <benchmark/benchmark.h>

#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "runtime/kernels/blas.hpp"
#include "runtime/kernels/soft_min.hpp"

namespace kantor::kernels {
namespace {

/// Normal points of variance 1/D, so that the squared distance is about 2 for every D.
template <class T>
struct Data {
  std::int64_t n, d;
  std::vector<T> x, y;
  std::vector<double> weights, log_weights, g, f, columns;
  explicit Data(const benchmark::State& state)
      : n(state.range(0)), d(state.range(1)), weights(size(n), 1.0 / static_cast<double>(n)) {
    std::mt19937_64 engine(1);
    std::normal_distribution<double> normal(0, 1 / std::sqrt(static_cast<double>(d)));
    for (std::int64_t k = 0; k < n * d; ++k) {
      x.push_back(static_cast<T>(normal(engine)));
      y.push_back(static_cast<T>(normal(engine)));
    }
    for (std::int64_t j = 0; j < n; ++j) g.push_back(normal(engine));
    log_weights.assign(size(n), -std::log(static_cast<double>(n)));
    f.resize(size(n));
    columns.resize(size(n));
  }
  std::unique_ptr<CostMatrix<T>> cost(CostKind kind) const {
    return streamed_cost<T>({kind, 1.5}, {x.data(), n, d}, {y.data(), n, d});
  }
  Reduction<T> reduction(const CostMatrix<T>& matrix) const { return {matrix, log_weights, g, .1}; }
  static std::size_t size(std::int64_t count) { return static_cast<std::size_t>(count); }
};

void report(benchmark::State& state) {
  const double pairs = static_cast<double>(state.range(0)) * static_cast<double>(state.range(0));
  using benchmark::Counter;
  const auto inverted = Counter::kIsIterationInvariantRate | Counter::kInvert;
  state.counters["ns_per_pair"] = Counter(pairs * 1e-9, inverted);
  state.counters["gflops"] = Counter(2e-9 * pairs * static_cast<double>(state.range(1)),
                                     Counter::kIsIterationInvariantRate);
}

template <class T, CostKind kind>
void weights(benchmark::State& state) {
  Data<T> data(state);
  const auto matrix = data.cost(kind);
  ThreadPool pool(1);
  for (auto _ : state) {
    soft_min_weights<T>(data.reduction(*matrix), data.weights, pool, data.f, data.columns);
  }
  report(state);
}

template <class T>
void forward(benchmark::State& state) {
  Data<T> data(state);
  const auto matrix = data.cost(CostKind::sqeuclidean);
  ThreadPool pool(1);
  for (auto _ : state) soft_min<T>(data.reduction(*matrix), pool, data.f);
  report(state);
}

template <class T>
void backward(benchmark::State& state) {
  Data<T> data(state);
  const auto matrix = data.cost(CostKind::sqeuclidean);
  ThreadPool pool(1);
  soft_min<T>(data.reduction(*matrix), pool, data.f);
  for (auto _ : state) {
    plan_column_weights<T>(data.reduction(*matrix), data.f, data.weights, pool, data.columns);
  }
  report(state);
}

template <class T>
void stored_weights(benchmark::State& state) {
  Data<T> data(state);
  ThreadPool pool(1);
  const StoredCost<T> matrix(*data.cost(CostKind::sqeuclidean), pool);
  for (auto _ : state) {
    soft_min_weights<T>(data.reduction(matrix), data.weights, pool, data.f, data.columns);
  }
  report(state);
}

template <class T>
void rounded_totals(benchmark::State& state) {
  Data<T> data(state);
  const auto matrix = data.cost(CostKind::sqeuclidean);
  ThreadPool pool(1);
  const std::vector<double> scale(data.weights.size(), .9), missing(data.weights);
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        rounded_plan_totals<T>(data.reduction(*matrix), data.weights, scale, missing, 1, pool));
  }
  report(state);
}

/// The BLAS product of a panel alone, 64 rows at a time.
template <class T>
void panel_gemm(benchmark::State& state) {
  Data<T> data(state);
  std::vector<T> tile(Data<T>::size(64 * data.n));
  for (auto _ : state) {
    for (std::int64_t first = 0; first < data.n; first += 64) {
      gemm_nt(64, data.n, data.d, T{1}, data.x.data() + first * data.d, data.d, data.y.data(),
              data.d, T{0}, tile.data(), data.n);
    }
    benchmark::DoNotOptimize(tile.data());
  }
  report(state);
}

void shapes(benchmark::internal::Benchmark* benchmark) {
  benchmark->Unit(benchmark::kMillisecond);
  for (const std::int64_t d : {2, 16, 64, 784}) benchmark->Args({4096, d});
}
void one_shape(benchmark::internal::Benchmark* benchmark) {
  benchmark->Unit(benchmark::kMillisecond)->Args({4096, 16});
}

BENCHMARK_TEMPLATE(weights, float, CostKind::sqeuclidean)->Apply(shapes)->Args({512, 784});
BENCHMARK_TEMPLATE(weights, double, CostKind::sqeuclidean)->Apply(shapes);
BENCHMARK_TEMPLATE(weights, float, CostKind::euclidean)->Apply(one_shape);
BENCHMARK_TEMPLATE(weights, float, CostKind::pnorm)->Apply(one_shape);
BENCHMARK_TEMPLATE(forward, float)->Apply(shapes);
BENCHMARK_TEMPLATE(backward, float)->Apply(shapes);
BENCHMARK_TEMPLATE(stored_weights, float)->Apply(one_shape);
BENCHMARK_TEMPLATE(stored_weights, double)->Apply(one_shape);
BENCHMARK_TEMPLATE(rounded_totals, float)->Apply(one_shape);
BENCHMARK_TEMPLATE(rounded_totals, double)->Apply(one_shape);
BENCHMARK_TEMPLATE(panel_gemm, float)->Apply(shapes);
BENCHMARK_TEMPLATE(panel_gemm, double)->Apply(shapes);

}  // namespace
}  // namespace kantor::kernels
