// The rates behind the choice of storage (solvers/eot/storage/plan.cpp): nanoseconds per pair
// and thread of an iteration's pass, all threads at work. storage_rates [THREADS]; least of many
// passes, n = m = 4,096 (stored 8,192: more than a cache), weights uniform, epsilon .1, points
// normal of variance 1/D.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <random>
#include <vector>

#include "runtime/core/process.hpp"
#include "runtime/kernels/absorbed/absorbed_kernel.hpp"
#include "runtime/kernels/soft_min.hpp"
#include "runtime/kernels/vector_kernels.hpp"

namespace kantor::kernels {
namespace {

constexpr std::int64_t kFew = 4096;
constexpr std::int64_t kMany = 8192;

std::size_t size(std::int64_t count) { return static_cast<std::size_t>(count); }

template <class T>
class Rates {
 public:
  explicit Rates(int threads) : pool_(threads) {}

  void print() {
    std::printf("%s, %d-byte numbers, %d threads\n", name_of(instruction_set()),
                static_cast<int>(sizeof(T)), pool_.num_threads());
    take(kFew);
    for (const std::int64_t d : {2, 16, 64, 256, 784}) streamed("factored ", CostKind::dot, d);
    for (const std::int64_t d : {2, 16, 64}) streamed("euclidean", CostKind::euclidean, d);
    for (const std::int64_t d : {2, 16, 64}) streamed("pnorm    ", CostKind::pnorm, d);
    take(kMany);
    stored();
  }

 private:
  /// Nanoseconds per pair and thread.
  double least(int repetitions, const std::function<void()>& pass) {
    double seconds = 1e30;
    for (int k = 0; k < repetitions; ++k) {
      const double start = monotonic_seconds();
      pass();
      seconds = std::min(seconds, monotonic_seconds() - start);
    }
    return 1e9 * seconds * pool_.num_threads() / static_cast<double>(n_ * n_);
  }

  std::vector<T> normal(std::int64_t d) {
    std::normal_distribution<double> law(0, 1 / std::sqrt(static_cast<double>(d)));
    std::vector<T> points(size(n_ * d));
    for (T& value : points) value = static_cast<T>(law(engine_));
    return points;
  }

  Reduction<T> reduction(const CostMatrix<T>& matrix) const { return {matrix, log_b_, g_, .1}; }
  void weights(const CostMatrix<T>& matrix) {
    soft_min_weights<T>(reduction(matrix), weights_, pool_, f_, columns_);
  }

  void streamed(const char* what, CostKind kind, std::int64_t d) {
    const std::vector<T> x = normal(d), y = normal(d);
    const auto matrix = streamed_cost<T>({kind, 1.5}, {x.data(), n_, d}, {y.data(), n_, d});
    const bool is_slow = kind == CostKind::pnorm || d > 100;
    const double pass = least(is_slow ? 6 : 30, [&] { weights(*matrix); });
    const double making = least(is_slow ? 3 : 6, [&] { StoredCost<T>(*matrix, pool_); });
    std::printf("%s d = %4d  streamed %.4f  store %.4f\n", what, static_cast<int>(d), pass, making);
  }

  void stored() {
    const std::vector<T> x = normal(16), y = normal(16);
    const auto matrix = streamed_cost<T>({CostKind::dot}, {x.data(), n_, 16}, {y.data(), n_, 16});
    const StoredCost<T> costs(*matrix, pool_);
    std::printf("materialised %.4f\n", least(20, [&] { weights(costs); }));
    absorbed("absorbed", KernelFormat::numbers, *matrix);
    if (sizeof(T) == sizeof(float)) absorbed("absorbed16", KernelFormat::codes, *matrix);
  }

  void absorbed(const char* what, KernelFormat format, const CostMatrix<T>& matrix) {
    AbsorbedKernel<T> kernel(format);
    const auto absorb = [&] { kernel.absorb(reduction(matrix), weights_, pool_); };
    std::printf("%s d = 16: first %.4f", what, least(1, absorb));
    std::printf(", again %.4f\n", least(5, absorb));
    std::printf("%s %.4f\n", what,
                least(30, [&] { kernel.weights(g_, weights_, pool_, f_, columns_); }));
  }

  void take(std::int64_t n) {
    n_ = n;
    weights_.assign(size(n), 1.0 / static_cast<double>(n));
    log_b_.assign(size(n), -std::log(static_cast<double>(n)));
    g_.assign(size(n), 0.0);
    f_ = columns_ = g_;
  }

  ThreadPool pool_;
  std::mt19937_64 engine_{1};
  std::int64_t n_ = 0;
  std::vector<double> weights_, log_b_, g_, f_, columns_;
};

}  // namespace
}  // namespace kantor::kernels

int main(int num_arguments, char** arguments) {
  const int threads = num_arguments > 1 ? std::atoi(arguments[1]) : kantor::num_available_cores();
  kantor::kernels::Rates<float>(threads).print();
  kantor::kernels::Rates<double>(threads).print();
}
