#include <gtest/gtest.h>

#include "runtime/core/error.hpp"
#include "tests/distributed/contract.hpp"

namespace kantor::test {
namespace {

class StrictCommunicator : public OnAllRanks {};

/// ((x_0 + x_1) + x_2) + .. : the one order there is, on any number of processes.
template <class T>
T sum_in_rank_order(std::size_t index) {
  T sum = value<T>(0, index);
  for (int rank = 1; rank < kStrictRanks; ++rank) sum += value<T>(rank, index);
  return sum;
}

TEST_F(StrictCommunicator, adds_in_rank_order) {
  constexpr std::size_t kSize = 1001;
  std::vector<float> sums = values<float>(world().rank(), kSize);
  world().all_reduce(std::span(sums), ReduceOp::sum, "sums");
  for (std::size_t i = 0; i < kSize; ++i) ASSERT_EQ(sums[i], sum_in_rank_order<float>(i)) << i;

  const std::vector<double> all = values<double>(world().rank(), kSize * kStrictRanks);
  std::vector<double> part(kSize);
  world().reduce_scatter<double>(all, part, "slices");
  const std::size_t first = kSize * static_cast<std::size_t>(world().rank());
  for (std::size_t i = 0; i < kSize; ++i) {
    ASSERT_EQ(part[i], sum_in_rank_order<double>(first + i)) << i;
  }
}

TEST(StrictCommunicators, refuse_a_number_of_processes_that_does_not_divide_eight) {
  auto processes = make_thread_communicators({.num_ranks = 3, .timeout_s = 1});
  EXPECT_THROW(make_strict_communicators(std::move(processes[0]), 1), ConfigError);
}

}  // namespace
}  // namespace kantor::test
