// LibTorch with one thread, as main() sets it: a pool of its own would only spin.

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

namespace {

class OneTorchThread : public testing::Environment {
 public:
  void SetUp() override { at::set_num_threads(1); }
};

[[maybe_unused]] const testing::Environment* const kOneTorchThread =
    testing::AddGlobalTestEnvironment(new OneTorchThread);

}  // namespace
