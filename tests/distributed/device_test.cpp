// Which GPU a rank takes, with a stand-in for LibTorch's CUDA part, whose current device is one of
// each thread. Ranks are threads.

#include "distributed/device.hpp"

#include <c10/core/impl/FakeGuardImpl.h>
#include <torch/torch.h>

#include <cstdlib>

#include "tests/support/world.hpp"

namespace kantor::test {
namespace {

using FakeGuard = c10::impl::FakeGuardImpl<c10::DeviceType::CUDA>;
const c10::impl::DeviceGuardImplRegistrar registrar(c10::DeviceType::CUDA, new FakeGuard);

// What vendors' containers set; LibTorch looks when it is first used.
const int is_set = setenv("TORCH_ALLOW_TF32_CUBLAS_OVERRIDE", "1", 1);

class Device : public OnAllRanks {};

TEST_F(Device, of_a_rank_is_current_on_its_thread) {
  RunConfig run;
  run.device = "cuda";
  const at::Device mine = device_of(run, world());
  EXPECT_EQ(mine, at::Device(torch::kCUDA, static_cast<at::DeviceIndex>(world().rank() % 8)));
  EXPECT_EQ(FakeGuard().getDevice(), mine);
}

TEST_F(Device, of_a_run_on_the_cpu_changes_nothing) {
  FakeGuard::setDeviceIndex(5);
  EXPECT_EQ(device_of({}, world()), torch::kCPU);
  EXPECT_EQ(FakeGuard::getDeviceIndex(), 5);
}

TEST_F(Device, keeps_products_in_float32_whatever_the_environment_says) {
  ASSERT_EQ(is_set, 0);
  RunConfig run;
  run.device = "cuda";
  device_of(run, world());
  EXPECT_FALSE(at::globalContext().allowTF32CuBLAS());
  EXPECT_EQ(at::globalContext().float32MatmulPrecision(), at::Float32MatmulPrecision::HIGHEST);
}

}  // namespace
}  // namespace kantor::test
