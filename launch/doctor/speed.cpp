#include "launch/doctor/speed.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "runtime/core/error.hpp"
#include "runtime/core/process.hpp"
#include "runtime/kernels/blas.hpp"
#include "runtime/kernels/soft_min.hpp"
#include "runtime/kernels/soft_min_reference.hpp"
#include "runtime/random/philox.hpp"

// Shapes: N rows, M columns, D dimensions.

namespace kantor::launch {
namespace {

constexpr double kTime_s = 0.2;
constexpr double kSlowBlas = 5;  // GF/s of one core: a reference BLAS has less, any other more

/// Calls of the work per second: the best of its single calls.
double best_rate(const std::function<void()>& work) {
  double best_s = std::numeric_limits<double>::infinity();
  const double start_s = monotonic_seconds();
  for (double now_s = start_s; now_s - start_s < kTime_s;) {
    work();
    const double end_s = monotonic_seconds();
    best_s = std::min(best_s, end_s - now_s);
    now_s = end_s;
  }
  return 1 / std::max(best_s, 1e-9);
}

/// Uniform in (0, 1). The seed is the stream's.
std::vector<double> uniform_numbers(std::int64_t count, std::uint32_t stream) {
  const random::Stream numbers(0, random::Purpose::initial_weights, stream);
  std::vector<double> values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = numbers.uniform(i);
  return values;
}

template <class T>
std::vector<T> cast(const std::vector<double>& values) {
  return std::vector<T>(values.begin(), values.end());
}

/// Largest difference to the reference, in units of 64 roundings of the largest cost: the logits
/// hold sums of D products and epsilon times a logarithm, each a few roundings of that size.
template <class T>
double soft_min_error(kernels::CostKind kind, ThreadPool& pool) {
  constexpr std::int64_t kRows = 37;
  constexpr std::int64_t kColumns = 131;
  constexpr std::int64_t kDims = 5;
  constexpr double kEpsilon = 0.25;
  constexpr double kRoundings = 64;
  const auto x = cast<T>(uniform_numbers(kRows * kDims, 1));
  const auto y = cast<T>(uniform_numbers(kColumns * kDims, 2));
  const std::vector<double> g = uniform_numbers(kColumns, 3);
  std::vector<double> log_b(kColumns, -std::log(static_cast<double>(kColumns)));
  log_b[3] = -std::numeric_limits<double>::infinity();

  const kernels::Cost cost{.kind = kind, .p = 1.5};
  const kernels::Points<T> rows{x.data(), kRows, kDims};
  const kernels::Points<T> columns{y.data(), kColumns, kDims};
  const auto matrix = kernels::streamed_cost<T>(cost, rows, columns);
  std::vector<double> met(kRows);
  kernels::soft_min<T>({*matrix, log_b, g, kEpsilon}, pool, met);
  const std::vector<double> costs = kernels::reference::dense_costs<T>(cost, rows, columns);
  const std::vector<double> expected = kernels::reference::soft_min({costs, log_b, g, kEpsilon});

  const double largest = *std::max_element(
      costs.begin(), costs.end(), [](double a, double b) { return std::abs(a) < std::abs(b); });
  const double unit =
      kRoundings * static_cast<double>(std::numeric_limits<T>::epsilon()) * (1 + std::abs(largest));
  double worst = 0;
  for (std::size_t i = 0; i < met.size(); ++i) {
    const double error = std::abs(met[i] - expected[i]) / unit;
    worst = std::isfinite(error) ? std::max(worst, error) : std::numeric_limits<double>::infinity();
  }
  return worst;
}

template <class T>
double worst_error(ThreadPool& pool) {
  using kernels::CostKind;
  double worst = 0;
  for (const CostKind kind : {CostKind::sqeuclidean, CostKind::half_sqeuclidean, CostKind::dot,
                              CostKind::euclidean, CostKind::pnorm}) {
    worst = std::max(worst, soft_min_error<T>(kind, pool));
  }
  return worst;
}

}  // namespace

Check judge_gemm(double gflops) {
  Check check{.name = "BLAS speed",
              .text = concat(short_number(gflops), " GF/s (float32, one thread)")};
  if (gflops < kSlowBlas) {
    check.verdict = Verdict::warn;
    check.remedy =
        "a core does ten times as much: other programs may be using it (see cores), or "
        "this is no release build (launch/build.sh)";
  }
  return check;
}

Check check_gemm() {
  constexpr std::int64_t kSize = 512;
  const auto a = cast<float>(uniform_numbers(kSize * kSize, 1));
  const auto b = cast<float>(uniform_numbers(kSize * kSize, 2));
  std::vector<float> c(a.size());
  const double rate = best_rate([&] {
    kernels::gemm_nt(kSize, kSize, kSize, 1.0F, a.data(), kSize, b.data(), kSize, 0.0F, c.data(),
                     kSize);
  });
  return judge_gemm(rate * 2e-9 * kSize * kSize * kSize);
}

Check check_soft_min_speed(ThreadPool& pool) {
  constexpr std::int64_t kPoints = 1024;
  constexpr std::int64_t kDims = 32;
  const auto x = cast<float>(uniform_numbers(kPoints * kDims, 1));
  const auto y = cast<float>(uniform_numbers(kPoints * kDims, 2));
  const std::vector<double> zeros(kPoints, 0.0);
  const auto cost =
      kernels::streamed_cost<float>({.kind = kernels::CostKind::sqeuclidean},
                                    {x.data(), kPoints, kDims}, {y.data(), kPoints, kDims});
  std::vector<double> f(kPoints);
  const double rate = best_rate([&] {
    kernels::soft_min<float>({*cost, zeros, zeros, 1.0}, pool, f);
  });
  return {.name = "soft-min speed",
          .text = concat(short_number(rate * 1e-9 * kPoints * kPoints),
                         " billion pairs/s (float32, d = ", kDims, ", ", pool.num_threads(),
                         pool.num_threads() == 1 ? " thread)" : " threads)")};
}

Check judge_soft_min(double float32_error, double float64_error) {
  Check check{.name = "soft-min values"};
  check.text =
      concat("float32 and float64 within ", short_number(std::max(float32_error, float64_error)),
             " of the rounding allowed, against the double reference");
  // A NaN is no success.
  if (!(float32_error <= 1 && float64_error <= 1)) {
    check.verdict = Verdict::fail;
    check.text = concat("off by ", short_number(float32_error), " (float32) and ",
                        short_number(float64_error), " (float64) times the rounding allowed");
    check.remedy =
        "results of this machine cannot be trusted: run launch/test.sh, and report it "
        "with the processor's name";
  }
  return check;
}

Check check_soft_min_values(ThreadPool& pool) {
  return judge_soft_min(worst_error<float>(pool), worst_error<double>(pool));
}

}  // namespace kantor::launch
