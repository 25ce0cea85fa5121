#pragma once

// A RandomProblem through the emulated kernels. Shapes: N rows, M columns, D dimensions, K values.

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <stdexcept>

#include "runtime/kernels/cuda/pair_cost.hpp"
#include "tests/runtime/kernels/random_problem.hpp"
#include "tests/support/gpu_emulation/gpu_emulation.hpp"

namespace kantor::kernels::test {

using kantor::test::EmulatedLauncher;
using kantor::test::Order;

/// An array between a red zone of NaN, which shows in the results if it is read and in intact() if
/// it is written, and a page that ends the program if it is touched.
template <class U>
class Fenced {
 public:
  explicit Fenced(std::span<const U> values) : Fenced(values.size()) {
    std::copy(values.begin(), values.end(), data());
  }
  explicit Fenced(std::size_t size) : size_(size) {
    const std::size_t pages = ((size + kZone) * sizeof(U) + kPage - 1) / kPage + 1;
    bytes_ = pages * kPage;
    all_ = static_cast<std::byte*>(
        mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    if (all_ == MAP_FAILED || mprotect(all_ + bytes_ - kPage, kPage, PROT_NONE) != 0) {
      throw std::runtime_error("cannot map fenced memory");
    }
    std::fill(all_, all_ + bytes_ - kPage, kPoison);
  }
  ~Fenced() { munmap(all_, bytes_); }
  Fenced(const Fenced&) = delete;
  Fenced& operator=(const Fenced&) = delete;

  U* data() { return reinterpret_cast<U*>(all_ + bytes_ - kPage) - size_; }
  std::vector<U> values() { return {data(), data() + size_}; }
  bool intact() {
    return std::all_of(all_, reinterpret_cast<std::byte*>(data()),
                       [](std::byte value) { return value == kPoison; });
  }

 private:
  static constexpr std::size_t kPage = 4096;
  static constexpr std::size_t kZone = 256;
  static constexpr auto kPoison = std::byte{0xff};
  std::size_t size_;
  std::size_t bytes_ = 0;
  std::byte* all_ = nullptr;
};

/// Rounding of a sum of positive T, by how many of them are added up before they join others in
/// double: a thread's of a tile, then so many tiles. A rounding is half an epsilon.
template <class T>
double sum_tolerance() {
  constexpr int kTerms = cuda::Tile<T>::kPerThread + cuda::kTilesBetweenFlushes;
  return kTerms * .5 * std::numeric_limits<T>::epsilon();
}
/// As RandomProblem's, where a log-sum-exp is made of such sums.
template <class T>
double f_tolerance(const RandomProblem<T>& problem) {
  return problem.f_tolerance() + problem.epsilon * sum_tolerance<T>();
}
/// The same: once of the row's sum that is in f, once of the sum itself.
template <class T>
double plan_tolerance(const RandomProblem<T>& problem) {
  return problem.plan_tolerance() + 2 * sum_tolerance<T>();
}

/// What is asked of one problem.
struct Task {
  std::vector<double> row_weights = {};  ///< [N]
  std::vector<double> given_f = {};      ///< [N], or empty: the soft minima
  std::vector<double> centre = {};       ///< [D] or empty
  Order order = Order::forward;
  std::int64_t enough_blocks = 0;  ///< see SoftMinCall
  std::int64_t rows_at_once = 0;   ///< the same
  std::int64_t padding = 0;        ///< numbers behind each point
  bool keeps_sums = false;         ///< one call keeps sums and parts, another reads them
  std::int64_t sums_padding = 0;   ///< a multiple of 4
};

struct Outcome {
  std::vector<double> f, columns, averages;
  bool operator==(const Outcome&) const = default;
};

/// Points with `padding` NaN behind each.
template <class T>
std::vector<T> spread(const std::vector<T>& points, std::int64_t d, std::int64_t padding) {
  std::vector<T> result;
  for (std::size_t i = 0; i < points.size(); i += static_cast<std::size_t>(d)) {
    result.insert(result.end(), points.begin() + static_cast<std::ptrdiff_t>(i),
                  points.begin() + static_cast<std::ptrdiff_t>(i) + d);
    result.insert(result.end(), static_cast<std::size_t>(padding),
                  std::numeric_limits<T>::quiet_NaN());
  }
  return result;
}

/// Soft minima, column weights and averages of K values by the emulated kernels.
template <class T>
Outcome emulated(const RandomProblem<T>& problem, const Task& task, std::span<const T> values,
                 std::int64_t num_values) {
  const auto [n, m, d] = problem.shape;
  const auto size = [](std::int64_t count) { return static_cast<std::size_t>(count); };
  Fenced<T> x(spread(problem.x, d, task.padding)), y(spread(problem.y, d, task.padding));
  Fenced<T> v(values);
  Fenced<double> log_b(problem.log_b), g(problem.g), weights(task.row_weights);
  Fenced<double> given(task.given_f), centre(task.centre);
  Fenced<double> f(size(n)), columns(size(m)), averages(size(n * num_values));
  cuda::SoftMinCall call{.is_double = sizeof(T) == 8,
                         .cost = cuda::pair_cost(problem.cost),
                         .d = d,
                         .x = {x.data(), n, d + task.padding},
                         .y = {y.data(), m, d + task.padding},
                         .centre = task.centre.empty() ? nullptr : centre.data(),
                         .log_b = log_b.data(),
                         .g = g.data(),
                         .epsilon = problem.epsilon,
                         .rows_at_once = task.rows_at_once,
                         .enough_blocks = task.enough_blocks,
                         .given_f = task.given_f.empty() ? nullptr : given.data(),
                         .f = f.data(),
                         .row_weights = weights.data(),
                         .column_weights = columns.data(),
                         .values = v.data(),
                         .num_values = num_values,
                         .averages = num_values == 0 ? nullptr : averages.data()};
  Fenced<double> scratch(cuda::scratch_bytes(call) / sizeof(double));
  EmulatedLauncher launcher(task.order);
  const std::int64_t stride = cuda::quotient_up(m, 4) * 4 + task.sums_padding;
  Fenced<T> sums(size(task.keeps_sums ? n * stride : 0));
  Fenced<double> parts(size(task.keeps_sums ? n + m : 0));
  if (task.keeps_sums) {
    std::fill_n(sums.data(), n * stride, T(0));
    cuda::SoftMinCall keep = call;
    keep.f = keep.column_weights = keep.averages = nullptr;
    keep.kept_sums = sums.data();
    keep.kept_parts = parts.data();
    keep.sums_stride = call.sums_stride = stride;
    cuda::launch_soft_min<T>(keep, scratch.data(), launcher);
    EXPECT_TRUE(sums.intact());
    EXPECT_TRUE(parts.intact());
    call.sums = sums.data();
    call.parts = parts.data();
  }
  cuda::launch_soft_min<T>(call, scratch.data(), launcher);
  for (Fenced<double>* fenced : {&f, &columns, &averages, &scratch, &log_b, &g, &weights}) {
    EXPECT_TRUE(fenced->intact());
  }
  return {task.given_f.empty() ? f.values() : std::vector<double>{}, columns.values(),
          averages.values()};
}

template <class T>
Outcome emulated(const RandomProblem<T>& problem, const Task& task) {
  return emulated<T>(problem, task, problem.values, problem.kNumValues);
}

/// In each order of the threads; all must give the same bits, as they do nothing in a race.
template <class T>
Outcome emulated_in_all_orders(const RandomProblem<T>& problem, Task task,
                               std::span<const T> values, std::int64_t num_values) {
  task.order = Order::forward;
  const Outcome outcome = emulated<T>(problem, task, values, num_values);
  for (const Order order : {Order::backward, Order::scattered}) {
    task.order = order;
    EXPECT_EQ(emulated<T>(problem, task, values, num_values), outcome);
  }
  return outcome;
}

}  // namespace kantor::kernels::test
