// A program that stops where nobody polls (LibTorch waits for the GPU, or a launch for its queue)
// while a verb is under way.

#include <gtest/gtest.h>
#include <unistd.h>

#include "distributed/nccl/nccl.hpp"
#include "tests/distributed/device_buffer.hpp"
#include "tests/support/subprocess.hpp"

namespace kantor::test {
namespace {

[[noreturn]] void hang() {
  for (;;) pause();
}

/// One rank without mpirun; LastResort has 2 x 0.1 s and 5 s.
TEST(NcclGuardDeathTest, leaves_with_75_and_names_the_verb_but_only_while_one_is_under_way) {
  const auto stick = [] {
    const auto host = make_self_communicator();
    const auto ranks = make_nccl_communicator(*host, {.timeout_s = 0.1});
    const DeviceBuffer<double> buffer({1, 2, 3});
    ranks->at_step(11);
    ranks->all_reduce(buffer.span(), ReduceOp::sum, "gradients");
    ranks->synchronize();
    int num_looks = 0;  // 2 ms each: longer than the guard has
    becomes_true([&] { return ++num_looks > 3200; }, 60);
    fake_gpu::inject("collective:1:pending");
    ranks->at_step(12);
    ranks->all_reduce(buffer.span(), ReduceOp::sum, "gradients");
    ranks->broadcast(buffer.span(), 0, "another behind it");
    hang();
  };
  EXPECT_EXIT(
      stick(), testing::ExitedWithCode(75),
      "^kantor: error: \\[rank 0\\] all_reduce #2 \\(gradients, 24 B\\) at step 12 does not "
      "come back after 5.2 s: .+\n$");
}

}  // namespace
}  // namespace kantor::test
