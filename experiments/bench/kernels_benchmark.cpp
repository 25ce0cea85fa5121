// Time of the soft-min reduction. Arguments: N = M, D; real time is meant where there are threads.
// `ns_per_pair` is over N M pairs, `gflops` counts the 2 D operations of the cross term. The limit
// of a shape is `products` (its register tiles of products and nothing else) plus `powers` (as many
// powers of two of numbers in the first-level cache); that of stored costs is `read`.

#include <benchmark/benchmark.h>

#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "runtime/kernels/absorbed/absorbed_kernel.hpp"
#include "runtime/kernels/blas.hpp"
#include "runtime/kernels/soft_min.hpp"
#include "runtime/kernels/vector_kernels.hpp"

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

template <class T, CostKind kind, int threads = 1>
void weights(benchmark::State& state) {
  Data<T> data(state);
  const auto matrix = data.cost(kind);
  ThreadPool pool(threads);
  for (auto _ : state) {
    soft_min_weights<T>(data.reduction(*matrix), data.weights, pool, data.f, data.columns);
  }
  report(state);
}

template <class T, int threads = 1>
void forward(benchmark::State& state) {
  Data<T> data(state);
  const auto matrix = data.cost(CostKind::sqeuclidean);
  ThreadPool pool(threads);
  for (auto _ : state) soft_min<T>(data.reduction(*matrix), pool, data.f);
  report(state);
}

/// The products of all pairs, which stay in registers: a row of scale 0 asks for no more.
template <class T>
void products(benchmark::State& state) {
  Data<T> data(state);
  const auto& kernels = vector_kernels<T>();
  constexpr std::int64_t rows = 64;
  const std::int64_t padded = round_up(data.n, kernels.panel_width);
  std::vector<T> y(Data<T>::size(padded * data.d)), x(Data<T>::size(rows * data.d));
  std::vector<T> bias(Data<T>::size(padded)), shifts(rows), scales(rows);
  std::vector<double> totals(Data<T>::size(padded));
  kernels.pack(data.y.data(), data.n, data.d, kernels.panel_width, T{1}, y.data());
  const ColumnPanels<T> columns{
      data.n, padded / kernels.panel_width, kernels.panel_width, bias.data(), y.data(), 1};
  const RowOperand<T> operand{.points = x.data(), .depth = data.d};
  for (auto _ : state) {
    for (std::int64_t first = 0; first < data.n; first += rows) {
      kernels.pack(data.x.data() + first * data.d, rows, data.d, kernels.row_group, T{1}, x.data());
      kernels.plan_columns(operand, columns, rows, shifts.data(), scales.data(), totals.data());
    }
  }
  report(state);
}

/// N M powers of two, a few thousand numbers again and again.
template <class T>
void powers(benchmark::State& state) {
  const auto& kernels = vector_kernels<T>();
  std::vector<T> row(2048);
  for (auto _ : state) {
    for (std::int64_t done = 0; done < state.range(0) * state.range(0); done += 2048) {
      kernels.exp2(row.data(), 2048);
      benchmark::DoNotOptimize(row.data());
    }
  }
  report(state);
}

/// One reading of N M numbers.
template <class T, int threads = 1>
void read(benchmark::State& state) {
  const auto& kernels = vector_kernels<T>();
  const std::int64_t n = state.range(0);
  const std::vector<T> values(Data<T>::size(n * n), T{1});
  std::vector<double> sums(threads);
  ThreadPool pool(threads);
  for (auto _ : state) {
    pool.for_each(threads, [&](std::int64_t part) {
      double sum = 0;
      for (std::int64_t row = part * n / threads; row < (part + 1) * n / threads; ++row) {
        sum += kernels.dot(values.data() + row * n, values.data(), n);
      }
      sums[Data<T>::size(part)] = sum;
    });
    benchmark::DoNotOptimize(sums.data());
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * n * n * static_cast<std::int64_t>(sizeof(T)));
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

template <class T, int threads = 1, KernelFormat format = KernelFormat::numbers>
void absorbed_weights(benchmark::State& state) {
  Data<T> data(state);
  ThreadPool pool(threads);
  const auto matrix = data.cost(CostKind::sqeuclidean);
  AbsorbedKernel<T> kernel(format);
  kernel.absorb(data.reduction(*matrix), data.weights, pool);
  for (double& g : data.g) g += .01;
  for (auto _ : state) kernel.weights(data.g, data.weights, pool, data.f, data.columns);
  report(state);
  state.SetBytesProcessed(state.iterations() * data.n * data.n *
                          (kernel.is_coded() ? 2 : static_cast<std::int64_t>(sizeof(T))));
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
  for (const std::int64_t n : {512, 2048, 4096}) {
    for (const std::int64_t d : {2, 16, 64, 784}) benchmark->Args({n, d});
  }
}
void threaded(benchmark::internal::Benchmark* benchmark) {
  benchmark->Unit(benchmark::kMillisecond)->UseRealTime();
  for (const std::int64_t d : {2, 16, 64}) benchmark->Args({2048, d})->Args({4096, d});
}
void sizes(benchmark::internal::Benchmark* benchmark) {
  benchmark->Unit(benchmark::kMillisecond);
  for (const std::int64_t n : {512, 2048, 4096}) benchmark->Args({n, 1});
}
void stored(benchmark::internal::Benchmark* benchmark) {
  benchmark->Unit(benchmark::kMillisecond)->UseRealTime()->Args({4096, 16})->Args({8192, 16});
}
void one_shape(benchmark::internal::Benchmark* benchmark) {
  benchmark->Unit(benchmark::kMillisecond)->Args({4096, 16});
}

BENCHMARK_TEMPLATE(weights, float, CostKind::sqeuclidean)->Apply(shapes);
BENCHMARK_TEMPLATE(weights, float, CostKind::sqeuclidean, 2)->Apply(threaded);
BENCHMARK_TEMPLATE(forward, float, 2)->Apply(threaded);
BENCHMARK_TEMPLATE(products, float)->Apply(shapes);
BENCHMARK_TEMPLATE(products, double)->Apply(shapes);
BENCHMARK_TEMPLATE(powers, float)->Apply(sizes);
BENCHMARK_TEMPLATE(powers, double)->Apply(one_shape);
BENCHMARK_TEMPLATE(read, float)->Apply(stored);
BENCHMARK_TEMPLATE(read, float, 2)->Apply(stored);
BENCHMARK_TEMPLATE(absorbed_weights, float)->Apply(stored);
BENCHMARK_TEMPLATE(absorbed_weights, float, 2)->Apply(stored);
BENCHMARK_TEMPLATE(absorbed_weights, float, 1, KernelFormat::codes)->Apply(stored);
BENCHMARK_TEMPLATE(absorbed_weights, float, 2, KernelFormat::codes)->Apply(stored);
BENCHMARK_TEMPLATE(absorbed_weights, double)->Apply(one_shape);
BENCHMARK_TEMPLATE(weights, double, CostKind::sqeuclidean)->Apply(shapes);
BENCHMARK_TEMPLATE(weights, float, CostKind::euclidean)->Apply(one_shape);
BENCHMARK_TEMPLATE(weights, float, CostKind::pnorm)->Apply(one_shape);
BENCHMARK_TEMPLATE(forward, float)->Apply(shapes);
BENCHMARK_TEMPLATE(backward, float)->Apply(shapes);
BENCHMARK_TEMPLATE(stored_weights, float)->Apply(stored);
BENCHMARK_TEMPLATE(stored_weights, double)->Apply(one_shape);
BENCHMARK_TEMPLATE(rounded_totals, float)->Apply(one_shape);
BENCHMARK_TEMPLATE(rounded_totals, double)->Apply(one_shape);
BENCHMARK_TEMPLATE(panel_gemm, float)->Apply(shapes);
BENCHMARK_TEMPLATE(panel_gemm, double)->Apply(shapes);

}  // namespace
}  // namespace kantor::kernels
