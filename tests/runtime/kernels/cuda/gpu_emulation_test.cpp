// The emulation itself: it must catch what is wrong in a body.

#include "tests/support/gpu_emulation/gpu_emulation.hpp"

#include <gtest/gtest.h>

#include <stdexcept>
#include <vector>

namespace kantor::test {
namespace {

constexpr Order kOrders[] = {Order::forward, Order::backward, Order::scattered};
constexpr std::size_t kBytes = gpu::kBlockThreads * sizeof(double);

/// What each thread reads of its neighbour on either side, after writing its own number.
std::vector<double> read_neighbours(Order order, int step, bool with_barrier) {
  std::vector<double> read(gpu::kBlockThreads);
  emulate({1, 1}, kBytes, order, [&](void* shared) {
    auto* numbers = static_cast<double*>(shared);
    const int own = gpu::thread_index();
    numbers[own] = own;
    if (with_barrier) gpu::sync_threads();
    read[static_cast<std::size_t>(own)] =
        numbers[(own + step + gpu::kBlockThreads) % gpu::kBlockThreads];
  });
  return read;
}

TEST(GpuEmulation, shows_a_missing_barrier_in_one_of_the_orders) {
  for (const int step : {-1, 1}) {
    std::vector<double> expected;
    for (int own = 0; own < gpu::kBlockThreads; ++own) {
      expected.push_back((own + step + gpu::kBlockThreads) % gpu::kBlockThreads);
    }
    int num_wrong = 0;
    for (const Order order : kOrders) {
      EXPECT_EQ(read_neighbours(order, step, true), expected);
      if (read_neighbours(order, step, false) != expected) ++num_wrong;
    }
    EXPECT_GT(num_wrong, 0);
  }
}

TEST(GpuEmulation, shuffles_within_a_warp) {
  for (const Order order : kOrders) {
    std::vector<double> sums(gpu::kBlockThreads);
    emulate({1, 1}, 0, order, [&](void*) {
      double sum = gpu::thread_index();
      for (int mask = 1; mask < gpu::kWarpThreads; mask *= 2) sum += gpu::shuffle_xor(sum, mask);
      sums[static_cast<std::size_t>(gpu::thread_index())] = sum;
    });
    for (int thread = 0; thread < gpu::kBlockThreads; ++thread) {
      const int first = thread / 32 * 32;
      EXPECT_EQ(sums[static_cast<std::size_t>(thread)], 32 * first + 31 * 16);
    }
  }
}

TEST(GpuEmulation, runs_every_block_once_with_poisoned_shared_memory) {
  for (const Order order : kOrders) {
    std::vector<int> runs(6);
    bool is_poisoned = true;
    emulate({3, 2}, kBytes, order, [&](void* shared) {
      auto* numbers = static_cast<double*>(shared);
      is_poisoned = is_poisoned && std::isnan(numbers[gpu::thread_index()]);
      gpu::sync_threads();
      numbers[gpu::thread_index()] = 1;
      if (gpu::thread_index() == 0) {
        ++runs[static_cast<std::size_t>(gpu::block_y() * 3 + gpu::block_x())];
      }
    });
    EXPECT_EQ(runs, std::vector<int>(6, 1));
    EXPECT_TRUE(is_poisoned);
  }
}

TEST(GpuEmulation, refuses_barriers_and_shuffles_that_some_threads_do_not_reach) {
  EXPECT_THROW(emulate({1, 1}, 0, Order::forward,
                       [](void*) {
                         if (gpu::thread_index() != 5) gpu::sync_threads();
                       }),
               std::logic_error);
  EXPECT_THROW(emulate({1, 1}, 0, Order::forward,
                       [](void*) {
                         if (gpu::thread_index() % 2 == 0) gpu::shuffle_xor(1.0, 2);
                       }),
               std::logic_error);
  EXPECT_THROW(emulate({1, 1}, 0, Order::forward,
                       [](void*) {
                         if (gpu::thread_index() < 32) {
                           gpu::shuffle_xor(1.0, 2);
                         } else {
                           gpu::sync_threads();
                         }
                       }),
               std::logic_error);
}

TEST(GpuEmulation, refuses_writes_beyond_the_shared_memory) {
  for (const int place : {-1, gpu::kBlockThreads}) {
    EXPECT_THROW(
        emulate({1, 1}, kBytes, Order::forward,
                [&](void* shared) { static_cast<double*>(shared)[place] = gpu::thread_index(); }),
        std::logic_error);
  }
}

}  // namespace
}  // namespace kantor::test
