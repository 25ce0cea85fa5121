#include "distributed/staged_tensor.hpp"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <array>
#include <cstring>
#include <vector>

#include "tests/support/fault_injecting_communicator.hpp"
#include "tests/support/world.hpp"

namespace kantor::test {
namespace {

/// Its copies arrive when they are sent, but their buffer is free only after some asking.
class LateStaging final : public Staging {
 public:
  LateStaging(std::size_t bytes, int asks) : buffers_{Buffer(bytes), Buffer(bytes)}, asks_(asks) {}

  void* buffer() override { return buffers_[turn_].data(); }
  bool is_free() override { return left_[turn_]-- <= 0; }
  void send(void* to, std::size_t bytes, void* stream) override {
    EXPECT_LE(left_[turn_], 0) << "filled while it was on its way";
    EXPECT_EQ(bytes, buffers_[turn_].size());
    EXPECT_EQ(stream, nullptr);
    std::memcpy(to, buffers_[turn_].data(), bytes);
    left_[turn_] = asks_;
    turn_ = 1 - turn_;
  }

 private:
  using Buffer = std::vector<std::byte>;
  std::array<Buffer, 2> buffers_;
  std::array<int, 2> left_{};
  std::size_t turn_ = 0;
  int asks_;
};

TEST(StagedTensor, is_its_own_copy_on_the_cpu) {
  StagedTensor staged({3, 2}, torch::kFloat64, torch::kCPU);
  const void* place = staged.host(world()).data_ptr();
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ(staged.host(world()).data_ptr(), place);
    const at::Tensor sent = staged.send();
    EXPECT_EQ(sent.data_ptr(), place);
    EXPECT_EQ(sent.sizes(), (std::vector<std::int64_t>{3, 2}));
  }
}

// Without the CUDA library: what is under way has to be through before a copy waits for the stream.
TEST(StagedTensor, is_copied_plainly_where_there_is_no_page_locked_memory) {
  FaultInjectingCommunicator ranks(world(), 1000);
  StagedTensor staged({3, 2}, torch::kFloat32, torch::kMeta, nullptr);
  const at::Tensor host = staged.host(ranks);
  EXPECT_TRUE(host.is_cpu());
  EXPECT_EQ(ranks.num_synchronized(), 1);
  const at::Tensor sent = staged.send();
  EXPECT_TRUE(sent.is_meta());
  EXPECT_EQ(sent.sizes(), (std::vector<std::int64_t>{3, 2}));
}

TEST(StagedTensor, sends_what_was_filled_and_waits_for_the_buffer_behind_the_verbs) {
  FaultInjectingCommunicator ranks(world(), 1000);
  StagedTensor staged({3, 2}, torch::kFloat32, torch::kCPU,
                      std::make_unique<LateStaging>(3 * 2 * sizeof(float), 7));
  std::vector<at::Tensor> sent;
  for (int round = 0; round < 5; ++round) {
    staged.host(ranks).fill_(round);
    EXPECT_EQ(ranks.num_synchronized(), round + 1);
    sent.push_back(staged.send());
  }
  for (int round = 0; round < 5; ++round) {
    EXPECT_TRUE(
        sent[static_cast<std::size_t>(round)].equal(torch::full({3, 2}, round, torch::kFloat32)));
  }
}

TEST(StagedTensor, sends_nothing_where_there_is_nothing) {
  StagedTensor staged({0, 2}, torch::kFloat32, torch::kCPU, std::make_unique<LateStaging>(99, 0));
  EXPECT_EQ(staged.host(world()).numel(), 0);
  EXPECT_EQ(staged.send().sizes(), (std::vector<std::int64_t>{0, 2}));
}

}  // namespace
}  // namespace kantor::test
