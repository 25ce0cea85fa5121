// Milliseconds of a call beside what the card's data sheet allows. Shapes: N x M pairs, D
// dimensions.

#include <cmath>
#include <functional>

#include "tests/runtime/kernels/cuda/card/card.hpp"

namespace kantor::card {
namespace {

using cuda::SoftMinCall;

struct Card {
  double cycles_per_second = 0;  ///< of all processors together
  double bytes_per_second = 0;

  Card() {
    int device = 0, clock_khz = 0, memory_khz = 0;
    cudaDeviceProp properties{};
    KANTOR_CARD(cudaGetDevice(&device));
    KANTOR_CARD(cudaGetDeviceProperties(&properties, device));
    KANTOR_CARD(cudaDeviceGetAttribute(&clock_khz, cudaDevAttrClockRate, device));
    KANTOR_CARD(cudaDeviceGetAttribute(&memory_khz, cudaDevAttrMemoryClockRate, device));
    cycles_per_second = 1e3 * clock_khz * properties.multiProcessorCount;
    bytes_per_second = 2e3 * memory_khz * properties.memoryBusWidth / 8;
  }
};

double median_ms(const SoftMinCall& call, int repeats) {
  const Buffer<char> scratch(cuda::soft_min_kernels().scratch_bytes(call));
  cudaEvent_t begin, end;
  KANTOR_CARD(cudaEventCreate(&begin));
  KANTOR_CARD(cudaEventCreate(&end));
  std::vector<float> times;
  for (int turn = -2; turn < repeats; ++turn) {  // two warm up
    KANTOR_CARD(cudaEventRecord(begin));
    enqueue(call, scratch.get(), nullptr);
    KANTOR_CARD(cudaEventRecord(end));
    KANTOR_CARD(cudaEventSynchronize(end));
    float ms = 0;
    KANTOR_CARD(cudaEventElapsedTime(&ms, begin, end));
    if (turn >= 0) times.push_back(ms);
  }
  KANTOR_CARD(cudaEventDestroy(begin));
  KANTOR_CARD(cudaEventDestroy(end));
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

class Speed {
 public:
  Speed(std::int64_t n, std::int64_t m, std::int64_t d)
      : n_(n),
        m_(m),
        d_(d),
        x_(normal(n * d, 1 / std::sqrt(static_cast<double>(d)), 0, 1)),
        y_(normal(m * d, 1 / std::sqrt(static_cast<double>(d)), 0, 2)),
        log_b_(std::vector<double>(m, -std::log(static_cast<double>(m)))),
        g_(std::vector<double>(m, 0.)),
        weights_(std::vector<double>(n, 1 / static_cast<double>(n))),
        f_(n),
        columns_(m) {
    call_.d = d;
    call_.x = {x_.get(), n, d};
    call_.y = {y_.get(), m, d};
    call_.log_b = log_b_.get();
    call_.g = g_.get();
    call_.epsilon = .1;
    call_.f = f_.get();
  }

  void print(const Card& card, bool keeps, int repeats) {
    const double pairs = static_cast<double>(n_) * static_cast<double>(m_);
    // Cycles of a processor for one pair: 128 instructions at once (a multiply-add for each
    // dimension, 5 around the power, a share of the loads and of what a row's end costs), loads of
    // 16 bytes from shared memory, the special function unit's 16 powers at once.
    const double d = static_cast<double>(d_);
    const double issue = (d + 5.4 + (3 * d + 4) / 32) / 128;
    const double power = (1 + 4. / 32) / 16;
    const double pass_ms =
        1e3 * pairs * std::max({issue, d * 10 / 1024, power}) / card.cycles_per_second;
    const double power_ms = 1e3 * pairs * power / card.cycles_per_second;
    const double memory_ms = 1e3 * pairs * sizeof(float) / card.bytes_per_second;
    SoftMinCall iteration = call_;
    iteration.row_weights = weights_.get();
    iteration.column_weights = columns_.get();
    line("soft minima, from points", call_, pass_ms, repeats);
    line("iteration, from points", iteration, d_ >= 64 ? pass_ms + power_ms : 2 * pass_ms, repeats);
    if (!keeps) return;
    const Buffer<float> sums(static_cast<std::size_t>(n_) * stride());
    SoftMinCall keep = call_;
    keep.f = nullptr;
    keep.kept_sums = sums.get();
    keep.sums_stride = stride();
    line("keeping sums", keep, std::max(pass_ms, memory_ms), repeats);
    read(sums, call_);
    read(sums, iteration);
    line("soft minima, kept sums", call_, std::max(memory_ms, power_ms), repeats);
    line("iteration, kept sums", iteration,
         std::max(d_ >= 64 ? memory_ms : 2 * memory_ms, 2 * power_ms), repeats);
  }

  void call(bool has_kept_sums) {
    const Buffer<float> sums(has_kept_sums ? static_cast<std::size_t>(n_) * stride() : 0);
    call_.row_weights = weights_.get();
    call_.column_weights = columns_.get();
    if (has_kept_sums) {
      SoftMinCall keep = call_;
      keep.f = keep.column_weights = nullptr;
      keep.kept_sums = sums.get();
      keep.sums_stride = stride();
      run(keep);
      read(sums, call_);
    }
    for (int turn = 0; turn < 3; ++turn) run(call_);
  }

 private:
  std::int64_t stride() const { return (m_ + 3) / 4 * 4; }
  void read(const Buffer<float>& sums, SoftMinCall& call) const {
    call.sums = sums.get();
    call.sums_stride = stride();
  }
  void line(const char* what, const SoftMinCall& call, double floor_ms, int repeats) const {
    const double ms = median_ms(call, repeats);
    std::printf("%8ld x %-8ld d %-4ld %-26s %10.3f ms, floor %9.3f, x %.2f\n",
                static_cast<long>(n_), static_cast<long>(m_), static_cast<long>(d_), what, ms,
                floor_ms, ms / floor_ms);
  }

  std::int64_t n_, m_, d_;
  Buffer<float> x_, y_;
  Buffer<double> log_b_, g_, weights_, f_, columns_;
  SoftMinCall call_;
};

}  // namespace

void print_speed(double num_pairs_at_most) {
  const Card card;
  struct Size {
    std::int64_t n, m, d;
    bool keeps;
  };
  constexpr Size kSizes[] = {
      {1000, 1000, 2, false},          {4096, 4096, 2, false},     {4096, 4096, 64, true},
      {10'000, 10'000, 64, true},      {60'000, 60'000, 2, false}, {60'000, 60'000, 3, false},
      {60'000, 60'000, 16, false},     {60'000, 60'000, 32, true}, {60'000, 60'000, 64, true},
      {60'000, 60'000, 128, false},    {7500, 60'000, 64, true},   {60'000, 60'000, 784, false},
      {1'000'000, 1'000'000, 3, false}};
  for (const Size& size : kSizes) {
    const double pairs = static_cast<double>(size.n) * static_cast<double>(size.m);
    if (pairs > num_pairs_at_most) continue;
    Speed(size.n, size.m, size.d).print(card, size.keeps, pairs > 1e11 ? 1 : 9);
  }
}

void call_alone(std::int64_t d, bool has_kept_sums) {
  Speed(60'000, 60'000, d).call(has_kept_sums);
}

}  // namespace kantor::card
