// Time to gather one batch of random rows, from a mapped .npy file (in the page cache) or from
// memory, into float32. Arguments: rows of the data, D, B rows per batch. `bytes_per_second` counts
// what is written.

#include <benchmark/benchmark.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "runtime/core/error.hpp"
#include "runtime/data/marginal.hpp"
#include "runtime/data/npy.hpp"
#include "runtime/data/row_sources.hpp"

namespace kantor::data {
namespace {

template <class T>
std::vector<T> random_values(std::int64_t count) {
  std::vector<T> values(static_cast<std::size_t>(count));
  std::mt19937_64 engine(1);
  std::uniform_real_distribution<T> uniform(-1, 1);
  for (T& value : values) value = uniform(engine);
  return values;
}

/// A file that is gone with the object; the mapping that a source holds keeps its bytes.
template <class T>
class TemporaryNpy {
 public:
  TemporaryNpy(std::int64_t n, std::int64_t d)
      : path_(std::filesystem::temp_directory_path() / concat("gather-", getpid(), ".npy")) {
    const std::vector<std::int64_t> shape = {n, d};
    write_npy(path_.string(), random_values<T>(n * d), shape);
  }
  ~TemporaryNpy() { std::filesystem::remove(path_); }
  TemporaryNpy(const TemporaryNpy&) = delete;
  TemporaryNpy& operator=(const TemporaryNpy&) = delete;
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

enum class Centre { none, subtracted };

void gather(benchmark::State& state, std::shared_ptr<const RowSource> source, Centre centre) {
  const Marginal marginal("benchmark", std::move(source), {}, /*scale=*/1, {}, /*holdout=*/0, 0);
  constexpr std::int64_t kBatches = 64;  // drawn before, so that drawing is not measured
  const auto size = static_cast<std::size_t>(state.range(2));
  std::vector<std::int64_t> rows(size * kBatches);
  std::mt19937_64 engine(2);
  std::uniform_int_distribution<std::int64_t> any(0, marginal.n() - 1);
  for (std::int64_t& row : rows) row = any(engine);
  const std::vector<double> shift(
      centre == Centre::none ? 0 : static_cast<std::size_t>(marginal.d()), .5);
  std::vector<float> batch(size * static_cast<std::size_t>(marginal.d()));
  std::size_t next = 0;
  for (auto _ : state) {
    marginal.read<float>(std::span(rows).subspan(size * (next++ % kBatches), size), shift,
                         batch.data());
    benchmark::DoNotOptimize(batch.data());
  }
  state.SetBytesProcessed(
      static_cast<std::int64_t>(state.iterations() * batch.size() * sizeof(float)));
}

template <class T, Centre centre>
void mapped(benchmark::State& state) {
  const TemporaryNpy<T> file(state.range(0), state.range(1));
  gather(state, open_npy(file.path()), centre);
}

template <class T, Centre centre>
void resident(benchmark::State& state) {
  const std::int64_t n = state.range(0);
  const std::int64_t d = state.range(1);
  gather(state, memory_rows<T>(random_values<T>(n * d), n, d), centre);
}

void shapes(benchmark::internal::Benchmark* benchmark) {
  benchmark->Unit(benchmark::kMicrosecond)->ArgNames({"n", "d", "batch"});
  benchmark->Args({100000, 16, 2048})->Args({50000, 784, 512});
}

BENCHMARK_TEMPLATE(mapped, float, Centre::none)->Apply(shapes);
BENCHMARK_TEMPLATE(mapped, float, Centre::subtracted)->Apply(shapes);
BENCHMARK_TEMPLATE(mapped, double, Centre::subtracted)->Apply(shapes);
BENCHMARK_TEMPLATE(resident, float, Centre::none)->Apply(shapes);
BENCHMARK_TEMPLATE(resident, float, Centre::subtracted)->Apply(shapes);
BENCHMARK_TEMPLATE(resident, double, Centre::subtracted)->Apply(shapes);

}  // namespace
}  // namespace kantor::data

BENCHMARK_MAIN();
