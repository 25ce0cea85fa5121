#pragma once

// A RandomProblem through the emulated kernels. Shapes: N rows, M columns, D dimensions, K values.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "runtime/kernels/cuda/pair_cost.hpp"
#include "tests/runtime/kernels/random_problem.hpp"
#include "tests/support/gpu_emulation/gpu_emulation.hpp"

namespace kantor::kernels::test {

using kantor::test::EmulatedLauncher;
using kantor::test::Order;

/// An array between red zones of NaN: reading beyond it shows in the results, writing in intact().
template <class U>
class Fenced {
 public:
  explicit Fenced(std::span<const U> values) : Fenced(values.size()) {
    std::copy(values.begin(), values.end(), data());
  }
  explicit Fenced(std::size_t size) : size_(size), all_(size + 2 * kZone) {
    if (!all_.empty()) std::memset(all_.data(), 0xff, all_.size() * sizeof(U));
  }
  U* data() { return all_.data() + kZone; }
  std::vector<U> values() { return {data(), data() + size_}; }
  bool intact() {
    const auto is_poison = [](const U& value) {
      static constexpr std::array<unsigned char, sizeof(U)> kPoison = [] {
        std::array<unsigned char, sizeof(U)> bytes{};
        bytes.fill(0xff);
        return bytes;
      }();
      return std::memcmp(&value, kPoison.data(), sizeof(U)) == 0;
    };
    return std::all_of(all_.begin(), all_.begin() + kZone, is_poison) &&
           std::all_of(all_.end() - kZone, all_.end(), is_poison);
  }

 private:
  static constexpr std::ptrdiff_t kZone = 256;
  std::size_t size_;
  std::vector<U> all_;
};

/// What is asked of one problem.
struct Task {
  std::vector<double> row_weights = {};  ///< [N]
  std::vector<double> given_f = {};      ///< [N], or empty: the soft minima
  std::vector<double> centre = {};       ///< [D] or empty
  Order order = Order::forward;
  std::int64_t enough_blocks = cuda::kEnoughBlocks;
  std::int64_t padding = 0;  ///< numbers behind each point
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
                         .given_f = task.given_f.empty() ? nullptr : given.data(),
                         .f = f.data(),
                         .row_weights = weights.data(),
                         .column_weights = columns.data(),
                         .values = v.data(),
                         .num_values = num_values,
                         .averages = num_values == 0 ? nullptr : averages.data()};
  Fenced<double> scratch(cuda::scratch_bytes(call, task.enough_blocks) / sizeof(double));
  EmulatedLauncher launcher(task.order);
  cuda::launch_soft_min<T>(call, scratch.data(), launcher, task.enough_blocks);
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
