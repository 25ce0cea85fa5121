#include "tests/support/fault_injecting_communicator.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <span>
#include <vector>

#include "tests/distributed/contract.hpp"

namespace kantor::test {
namespace {

using testing::HasSubstr;

class FaultInjecting : public OnAllRanks {};

/// Every verb once, on fresh buffers.
void call_all_verbs(Communicator& ranks) {
  const auto size = static_cast<std::size_t>(ranks.size());
  std::vector<double> part(3, 1.0), all(3 * size);
  std::vector<std::byte> bytes(3);
  ranks.all_reduce(std::span(part), ReduceOp::sum, "sums");
  EXPECT_EQ(part, std::vector<double>(3, ranks.size()));
  ranks.all_gather(std::span<const double>(part), std::span(all), "parts");
  EXPECT_EQ(all, std::vector<double>(3 * size, ranks.size()));
  ranks.reduce_scatter(std::span<const double>(all), std::span(part), "slices");
  EXPECT_EQ(part, std::vector<double>(3, ranks.size() * ranks.size()));
  ranks.broadcast(std::span(bytes), 0, "bytes");
  ranks.barrier("wait");
  EXPECT_EQ(ranks.agree(ranks.rank(), "flag"), ranks.size() - 1);
}

}  // namespace

TEST_F(FaultInjecting, hands_on_what_comes_before_the_fault) {
  FaultInjectingCommunicator faulty(world(), 7);
  call_all_verbs(faulty);
  EXPECT_EQ(faulty.rank(), world().rank());
  EXPECT_EQ(faulty.counts().all_reduce, 1);
}

TEST_F(FaultInjecting, fails_the_call_with_that_number_and_all_later_ones) {
  for (std::int64_t failing = 1; failing <= 6; ++failing) {
    FaultInjectingCommunicator faulty(world(), failing);
    EXPECT_THROW(call_all_verbs(faulty), CommError) << failing;
    EXPECT_THROW(faulty.barrier("again"), CommError) << failing;
  }
  FaultInjectingCommunicator faulty(world(), 2);
  faulty.barrier("first");
  try {
    std::vector<float> gradients(2500);
    faulty.all_reduce(std::span(gradients), ReduceOp::sum, "gradients");
    ADD_FAILURE() << "call 2 went through";
  } catch (const CommError& error) {
    EXPECT_THAT(error.what(), HasSubstr("all_reduce #2 (gradients, 10.0 kB) failed: injected"));
  }
}

TEST_F(FaultInjecting, fails_on_the_chosen_rank_alone) {
  FaultInjectingCommunicator faulty(world(), 1, /*failing_rank=*/world().size());
  call_all_verbs(faulty);
  FaultInjectingCommunicator faulty_last(world(), 1, world().size() - 1);
  if (world().rank() == world().size() - 1) {
    EXPECT_THROW(faulty_last.barrier("x"), CommError);
  }
  // The others would wait for their deadline here; they do not enter.
}

}  // namespace kantor::test
