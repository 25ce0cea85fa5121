// The kernels of a GPU on tensors: the emulated ones, and wrong ones in their place.

#include "solvers/neural/device_soft_min.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/core/error.hpp"
#include "tests/solvers/small_problem.hpp"
#include "tests/solvers/tensor_case.hpp"
#include "tests/support/captured_stderr.hpp"
#include "tests/support/gpu_emulation/gpu_emulation.hpp"
#include "tests/support/thrown.hpp"
#include "tests/support/tolerance.hpp"

namespace kantor::neural {
namespace {

using test::emulated_kernels;
using test::kAllCosts;
using test::kDims;
using test::largest_difference;
using test::TensorCase;
using ::testing::AllOf;
using ::testing::HasSubstr;

/// What the kernels below do, and how often they were asked. enqueue() has no place for an object.
struct Behaviour {
  int num_calls = 0;
  int first_failing_call = 1 << 30;
  void (*spoil)(const cuda::SoftMinCall& call) = nullptr;
};
Behaviour behaviour;

const cuda::SoftMinKernels& kernels_with(const Behaviour& wanted) {
  behaviour = wanted;
  static const cuda::SoftMinKernels table = {
      emulated_kernels().scratch_bytes,
      [](const cuda::SoftMinCall& call, void* scratch, void* stream) -> const char* {
        if (++behaviour.num_calls >= behaviour.first_failing_call) return "no kernel image";
        const char* problem = emulated_kernels().enqueue(call, scratch, stream);
        if (behaviour.spoil != nullptr) behaviour.spoil(call);
        return problem;
      }};
  return table;
}

int num_warnings(const std::string& text) {
  int count = 0;
  for (std::size_t at = text.find("warning: "); at != std::string::npos;
       at = text.find("warning: ", at + 1)) {
    ++count;
  }
  return count;
}

void expect_aten(const SoftWeights& result, const TensorCase& c) {
  const SoftWeights aten = soft_min_weights_by_aten(c.reduction, c.b);
  EXPECT_TRUE(torch::equal(result.values, aten.values));
  EXPECT_TRUE(torch::equal(result.weights, aten.weights));
}

TEST(DeviceSoftMinOnTensors, is_the_same_by_kernels_and_by_aten) {
  test::CapturedStderr told;
  Log log({});
  DeviceSoftMin soft_min([]() -> const cuda::SoftMinKernels& { return emulated_kernels(); });
  for (const kernels::Cost& cost : kAllCosts) {
    for (const at::ScalarType type : {torch::kFloat64, torch::kFloat32}) {
      for (const std::int64_t n : {0, 1, 150}) {
        const TensorCase c(cost, type, n);
        const SoftWeights mine = soft_min.weights(c.reduction, c.b, log);
        const SoftWeights theirs = soft_min_weights_by_aten(c.reduction, c.b);
        const double eps =
            type == torch::kFloat32 ? test::tol<float>(kDims) : test::tol<double>(200);
        ASSERT_EQ(mine.values.numel(), n);
        const at::Tensor difference = (mine.values - theirs.values).abs();
        EXPECT_EQ(difference.le(eps).sum().item<std::int64_t>(), n);
        EXPECT_LE(largest_difference(mine.weights, theirs.weights), 10 * eps);
      }
    }
  }
  EXPECT_EQ(told.text(), "");
}

TEST(DeviceSoftMinOnTensors, compares_once_for_each_cost_and_type) {
  Log log({});
  DeviceSoftMin soft_min([]() -> const cuda::SoftMinKernels& { return kernels_with({}); });
  const TensorCase floats(kAllCosts[0], torch::kFloat32, 20);
  soft_min.weights(floats.reduction, floats.b, log);
  EXPECT_EQ(behaviour.num_calls, 2);
  soft_min.weights(floats.reduction, floats.b, log);
  EXPECT_EQ(behaviour.num_calls, 3);
  const TensorCase doubles(kAllCosts[0], torch::kFloat64, 20);
  soft_min.weights(doubles.reduction, doubles.b, log);
  EXPECT_EQ(behaviour.num_calls, 2);  // loaded anew, which counts anew
}

TEST(DeviceSoftMinOnTensors, takes_tensors_with_gaps_and_a_new_centre) {
  Log log({});
  DeviceSoftMin soft_min([]() -> const cuda::SoftMinKernels& { return emulated_kernels(); });
  TensorCase c(kAllCosts[2], torch::kFloat64, 20);  // dot
  const SoftWeights before = soft_min.weights(c.reduction, c.b, log);
  c.reduction.x = torch::cat({c.reduction.x, c.reduction.x}, 1).narrow(1, 0, kDims);
  EXPECT_TRUE(torch::equal(soft_min.weights(c.reduction, c.b, log).values, before.values));
  c.centre = {0, 1, 2};
  c.reduction.centre = c.centre;
  EXPECT_LE(largest_difference(soft_min.weights(c.reduction, c.b, log).values,
                               soft_min_weights_by_aten(c.reduction, c.b).values),
            10 * test::tol<double>(200));
}

TEST(DeviceSoftMinOnTensors, wrong_kernels_are_warned_of_once_and_not_used) {
  const auto spoilers = {
      +[](const cuda::SoftMinCall& call) { call.f[69] += 1e-2; },
      +[](const cuda::SoftMinCall& call) { call.column_weights[129] = 0; },
      +[](const cuda::SoftMinCall& call) { call.column_weights[64] += 1e-3; },
      +[](const cuda::SoftMinCall& call) { call.f[0] = std::numeric_limits<double>::quiet_NaN(); }};
  for (const auto spoil : spoilers) {
    test::CapturedStderr told;
    Log log({});
    DeviceSoftMin soft_min(
        [&]() -> const cuda::SoftMinKernels& { return kernels_with({.spoil = spoil}); });
    const TensorCase c(kAllCosts[0], torch::kFloat32);
    expect_aten(soft_min.weights(c.reduction, c.b, log), c);
    expect_aten(soft_min.weights(c.reduction, c.b, log), c);
    EXPECT_EQ(behaviour.num_calls, 1);
    EXPECT_EQ(num_warnings(told.text()), 1) << told.text();
    EXPECT_THAT(told.text(), HasSubstr("differ from LibTorch's operations"));
  }
}

TEST(DeviceSoftMinOnTensors, a_library_or_kernel_that_cannot_be_had_is_warned_of_once) {
  const std::vector<DeviceSoftMin::Load> loads = {
      []() -> const cuda::SoftMinKernels& { throw ConfigError("no such library"); },
      []() -> const cuda::SoftMinKernels& { return kernels_with({.first_failing_call = 1}); }};
  for (const auto& load : loads) {
    test::CapturedStderr told;
    Log log({});
    DeviceSoftMin soft_min(load);
    const TensorCase c(kAllCosts[0], torch::kFloat64, 20);
    for (int turn = 0; turn < 2; ++turn) expect_aten(soft_min.weights(c.reduction, c.b, log), c);
    EXPECT_EQ(num_warnings(told.text()), 1) << told.text();
    EXPECT_THAT(told.text(), AllOf(HasSubstr("are not used: "), HasSubstr("no ")));
  }
}

TEST(DeviceSoftMinOnTensors, a_launch_that_fails_later_is_an_error) {
  Log log({});
  DeviceSoftMin soft_min(
      []() -> const cuda::SoftMinKernels& { return kernels_with({.first_failing_call = 2}); });
  const TensorCase c(kAllCosts[0], torch::kFloat32, 20);
  EXPECT_THAT(test::message_of<NumericError>([&] { soft_min.weights(c.reduction, c.b, log); }),
              AllOf(HasSubstr("20 x 200 points"), HasSubstr("no kernel image")));
}

}  // namespace
}  // namespace kantor::neural
