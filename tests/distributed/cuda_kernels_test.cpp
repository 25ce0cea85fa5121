// The kernels that libkantor_cuda.so offers, on the look-alike: what is launched, and what is said
// of launches that fail. Their results are a matter of tests/runtime/kernels/cuda.

#include "distributed/nccl/cuda_kernels.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "runtime/kernels/cuda/soft_min_layout.hpp"
#include "tests/support/fake_gpu/fake_gpu.hpp"

namespace kantor::test {
namespace {

/// Everything that can be wanted at once; no pointer is looked into.
cuda::SoftMinCall everything(std::int64_t n, std::int64_t m, std::int64_t d, bool is_double) {
  cuda::SoftMinCall call;
  call.is_double = is_double;
  call.d = d;
  call.x = {nullptr, n, d};
  call.y = {nullptr, m, d};
  call.epsilon = 1;
  call.num_values = d;
  call.column_weights = call.averages = call.f = reinterpret_cast<double*>(64);
  return call;
}

TEST(CudaKernels, are_put_on_the_stream_within_what_every_card_allows) {
  const cuda::SoftMinKernels& kernels = soft_min_kernels_of_library();
  for (const bool is_double : {false, true}) {
    for (const auto form :
         {cuda::CostForm::products, cuda::CostForm::distance, cuda::CostForm::powers}) {
      for (const std::int64_t d : {1, 16, 31, 32, 33, 63, 64, 65, 784, 3072}) {
        for (const std::int64_t size : {1, 512, 100'000, 10'000'000}) {
          fake_gpu::inject("");
          void* stream = fake_gpu::make_stream();
          cuda::SoftMinCall call = everything(size, size, d, is_double);
          call.cost.form = form;
          const char* problem = kernels.enqueue(call, nullptr, stream);
          ASSERT_EQ(problem, nullptr) << problem << ", d " << d << ", size " << size;
          // Parts of points, biases, the largest of them; logits, rows, columns, averages of so
          // many rows at once; sums of chunks where there are several.
          const int num_before = form == cuda::CostForm::products ? 3 : 2;
          const int num_launches = fake_gpu::calls()["cudaLaunchKernel"];
          const std::int64_t rounds =
              cuda::quotient_up(size, is_double ? cuda::Layout<double>(call).rows_at_once
                                                : cuda::Layout<float>(call).rows_at_once);
          EXPECT_GE(num_launches, num_before + 4 * rounds);
          EXPECT_LE(num_launches, num_before + 5 * rounds + 1);
          EXPECT_EQ(fake_gpu::num_enqueued(stream), num_launches);
        }
      }
    }
  }
}

TEST(CudaKernels, that_keep_and_read_sums_are_launched_alike) {
  const cuda::SoftMinKernels& kernels = soft_min_kernels_of_library();
  for (const bool is_double : {false, true}) {
    for (const auto form :
         {cuda::CostForm::products, cuda::CostForm::distance, cuda::CostForm::powers}) {
      for (const std::int64_t size : {1, 512, 1'000'000}) {
        cuda::SoftMinCall call = everything(size, size, 784, is_double);
        call.cost.form = form;
        call.sums_stride = (size + 3) / 4 * 4;
        const auto num_launches = [&] {
          fake_gpu::inject("");
          EXPECT_EQ(kernels.enqueue(call, nullptr, nullptr), nullptr);
          return fake_gpu::calls()["cudaLaunchKernel"];
        };
        const int from_points = num_launches();
        call.kept_sums = reinterpret_cast<double*>(64);
        EXPECT_EQ(num_launches(), from_points + 1);
        call.sums = call.kept_sums;
        call.kept_sums = nullptr;
        EXPECT_EQ(num_launches(), from_points);
        call.parts = reinterpret_cast<double*>(64);
        EXPECT_EQ(num_launches(), from_points - (form == cuda::CostForm::products ? 1 : 0));
      }
    }
  }
}

TEST(CudaKernels, a_launch_that_fails_is_reported_and_the_last) {
  const cuda::SoftMinKernels& kernels = soft_min_kernels_of_library();
  const cuda::SoftMinCall call = everything(100, 100, 3, false);
  for (int number = 1; number <= 5; ++number) {
    fake_gpu::inject("cudaLaunchKernel:" + std::to_string(number) + ":209");
    EXPECT_STREQ(kernels.enqueue(call, nullptr, nullptr), "look-alike error 209");
    EXPECT_EQ(fake_gpu::calls()["cudaLaunchKernel"], number);
    EXPECT_EQ(fake_gpu::last_error(), 0) << "LibTorch would trip over it";
  }
  fake_gpu::inject("");
}

TEST(CudaKernels, nothing_is_launched_for_empty_sides_but_what_fills_the_results) {
  const cuda::SoftMinKernels& kernels = soft_min_kernels_of_library();
  fake_gpu::inject("");
  EXPECT_EQ(kernels.enqueue(everything(0, 0, 3, false), nullptr, nullptr), nullptr);
  EXPECT_EQ(fake_gpu::calls()["cudaLaunchKernel"], 0);
  EXPECT_EQ(kernels.enqueue(everything(0, 5, 3, false), nullptr, nullptr), nullptr);
  EXPECT_EQ(fake_gpu::calls()["cudaLaunchKernel"], 4);  // parts, biases, largest, columns
}

}  // namespace
}  // namespace kantor::test
