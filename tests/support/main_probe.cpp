// Run by mpi_main_test.sh and thread_main_test.sh, which look at what their main makes of each
// case.

#include <gtest/gtest.h>

#include <cstdint>
#include <stdexcept>
#include <vector>

#include "runtime/core/error.hpp"
#include "tests/support/world.hpp"

namespace kantor::test {

class Probe : public OnAllRanks {};

TEST_F(Probe, passes) { EXPECT_EQ(world().agree(world().rank(), "rank"), world().size() - 1); }

TEST_F(Probe, fails_on_rank_1) { EXPECT_NE(world().rank(), 1) << "as it should"; }

TEST_F(Probe, throws_on_rank_1) {
  if (world().rank() == 1) throw std::runtime_error("as it should");
}

TEST_F(Probe, aborts_on_rank_1) {
  if (world().rank() == 1) world().abort(42);
  world().barrier("that rank 1 never enters");
}

TEST_F(Probe, stalls) {
  while (true) world().barrier("again and again");
}

TEST_F(Probe, loses_its_communicator) {
  // Rank 1 never comes; rank 0 gives up, destroys what is broken, and both leave with 0.
  const auto hasty = make_world({.timeout_s = 0.1});
  if (world().rank() == 0) {
    std::vector<double> gradients(1000, 1.0);
    EXPECT_THROW(hasty->all_reduce(std::span(gradients), ReduceOp::sum, "gradients"), CommError);
  }
}

}  // namespace kantor::test
