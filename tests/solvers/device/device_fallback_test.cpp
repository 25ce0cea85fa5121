// The kernels of libkantor_cuda.so on the look-alike, which refuses to launch them: LibTorch's
// operations take over, and find the CUDA runtime without an error.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "distributed/nccl/cuda_kernels.hpp"
#include "solvers/device/device_soft_min.hpp"
#include "tests/solvers/device/tensor_case.hpp"
#include "tests/support/captured_stderr.hpp"
#include "tests/support/fake_gpu/fake_gpu.hpp"

namespace kantor::test {
namespace {

using testing::HasSubstr;

TEST(DeviceFallback, leaves_the_work_to_libtorch_where_a_launch_is_refused) {
  // "No kernel image": what a card says that is older than the kernels.
  fake_gpu::inject("cudaLaunchKernel:1:209");
  CapturedStderr told;
  Log log({});
  DeviceSoftMin soft_min(&soft_min_kernels_of_library);
  const TensorCase c({kernels::CostKind::sqeuclidean, 2}, torch::kFloat32, 20);
  const Wanted wanted{.row_weights = c.row_weights, .values = c.reduction.y};
  const TensorSoftMin mine = soft_min.reduce(c.reduction, wanted, log);
  EXPECT_EQ(fake_gpu::last_error(), 0) << "LibTorch's next check would throw it";
  const TensorSoftMin theirs = reduce_by_aten(c.reduction, wanted);
  EXPECT_TRUE(torch::equal(mine.f, theirs.f));
  EXPECT_TRUE(torch::equal(mine.columns, theirs.columns));
  EXPECT_TRUE(torch::equal(mine.averages, theirs.averages));
  EXPECT_THAT(told.text(), HasSubstr("look-alike error 209"));
  EXPECT_THAT(told.text(), HasSubstr("LibTorch's operations do the work"));
  EXPECT_EQ(fake_gpu::calls()["cudaLaunchKernel"], 1) << "they are not tried again";
  fake_gpu::inject("");
}

}  // namespace
}  // namespace kantor::test
