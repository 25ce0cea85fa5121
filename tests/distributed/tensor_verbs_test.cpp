#include "distributed/tensor_verbs.hpp"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include "runtime/core/error.hpp"
#include "tests/support/world.hpp"

namespace kantor::test {
namespace {

at::Tensor ramp(std::int64_t size, at::ScalarType type) {
  return torch::arange(size, type) + 100 * world().rank();
}

TEST(TensorVerbs, do_what_the_verbs_do) {
  const int ranks = world().size();
  for (const at::ScalarType type : {torch::kFloat32, torch::kFloat64}) {
    const at::Tensor sum = ramp(5, type);
    all_reduce(world(), sum, ReduceOp::sum, "sum");
    EXPECT_TRUE(sum.equal(ranks * torch::arange(5, type) + 50 * ranks * (ranks - 1)));

    const at::Tensor all = all_gather(world(), ramp(3, type), "parts");
    ASSERT_EQ(all.numel(), 3 * ranks);
    EXPECT_EQ(all[3 * ranks - 1].item<double>(), 2 + 100 * (ranks - 1));

    const at::Tensor part = reduce_scatter(world(), torch::arange(2 * ranks, type), "slices");
    EXPECT_TRUE(part.equal(ranks * (torch::arange(2, type) + 2 * world().rank())));

    const at::Tensor copy = ramp(4, type);
    broadcast(world(), copy, ranks - 1, "copy");
    EXPECT_EQ(copy[3].item<double>(), 3 + 100 * (ranks - 1));
  }
}

/// Tensors without data: whoever reads one fails.
TEST(TensorVerbs, of_the_only_rank_leave_on_its_device_what_is_there) {
  const auto alone = make_self_communicator();
  const at::Tensor on_device = torch::zeros({6}, at::TensorOptions(at::kMeta));
  all_reduce(*alone, on_device, ReduceOp::sum, "sum");
  broadcast(*alone, on_device, 0, "copy");
  for (const at::Tensor& result :
       {all_gather(*alone, on_device, "parts"), reduce_scatter(*alone, on_device, "slices")}) {
    EXPECT_TRUE(result.is_meta());
    EXPECT_EQ(result.numel(), 6);
    EXPECT_FALSE(result.is_same(on_device));
  }
}

TEST(TensorVerbs, refuse_what_has_no_plain_memory_or_another_type) {
  const at::Tensor every_other = torch::zeros({6}).slice(0, 0, 6, 2);
  EXPECT_THROW(all_reduce(world(), every_other, ReduceOp::sum, "holes"), ValueError);
  EXPECT_THROW(all_gather(world(), torch::zeros({2}, torch::kInt32), "whole numbers"), ValueError);
}

}  // namespace
}  // namespace kantor::test
