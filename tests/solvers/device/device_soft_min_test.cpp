// The kernels of a GPU on tensors: the emulated ones, and wrong ones in their place.

#include "solvers/device/device_soft_min.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "runtime/core/error.hpp"
#include "solvers/device/kernel_check.hpp"
#include "tests/solvers/device/tensor_case.hpp"
#include "tests/solvers/small_problem.hpp"
#include "tests/support/captured_stderr.hpp"
#include "tests/support/gpu_emulation/gpu_emulation.hpp"
#include "tests/support/thrown.hpp"
#include "tests/support/tolerance.hpp"

namespace kantor {
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

/// Everything that a reduction gives.
Wanted all_of(const TensorCase& c) {
  return {.row_weights = c.row_weights, .values = c.reduction.y};
}

TensorSoftMin by_aten(const TensorCase& c) { return reduce_by_aten(c.reduction, all_of(c)); }

void expect_equal(const TensorSoftMin& mine, const TensorSoftMin& theirs) {
  EXPECT_TRUE(torch::equal(mine.f, theirs.f));
  EXPECT_TRUE(torch::equal(mine.columns, theirs.columns));
  EXPECT_TRUE(torch::equal(mine.averages, theirs.averages));
}

void expect_near(const TensorSoftMin& mine, const TensorSoftMin& theirs, std::int64_t n,
                 double tolerance) {
  ASSERT_EQ(mine.f.numel(), n);
  EXPECT_EQ((mine.f - theirs.f).abs().le(tolerance).sum().item<std::int64_t>(), n);
  EXPECT_LE(largest_difference(mine.columns, theirs.columns), 10 * tolerance);
  if (n > 0 && theirs.averages.defined()) {
    EXPECT_LE(largest_difference(mine.averages, theirs.averages), 10 * tolerance);
  }
}

double tolerance_of(at::ScalarType type) {
  return type == torch::kFloat32 ? test::tol<float>(kDims) : test::tol<double>(200);
}

constexpr int kChecks = 7;  // calls that compare the kernels

TEST(DeviceSoftMinOnTensors, is_the_same_by_kernels_and_by_aten) {
  test::CapturedStderr told;
  Log log({});
  DeviceSoftMin soft_min([]() -> const cuda::SoftMinKernels& { return emulated_kernels(); });
  for (const kernels::Cost& cost : kAllCosts) {
    for (const at::ScalarType type : {torch::kFloat64, torch::kFloat32}) {
      for (const std::int64_t n : {0, 1, 150}) {
        TensorCase c(cost, type, n);
        const TensorSoftMin theirs = by_aten(c);
        const TensorSoftMin mine = soft_min.reduce(c.reduction, all_of(c), log);
        expect_near(mine, theirs, n, tolerance_of(type));
        c.reduction.sums = soft_min.sums_of(c.reduction, log);
        ASSERT_EQ(c.reduction.sums.size(0), n);
        expect_equal(soft_min.reduce(c.reduction, all_of(c), log), mine);
        c.reduction.parts = soft_min.parts_of(c.reduction, log);
        EXPECT_EQ(c.reduction.parts.defined(),
                  cost.kind == kernels::CostKind::sqeuclidean ||
                      cost.kind == kernels::CostKind::half_sqeuclidean ||
                      cost.kind == kernels::CostKind::dot);
        expect_equal(soft_min.reduce(c.reduction, all_of(c), log), mine);
      }
    }
  }
  EXPECT_EQ(told.text(), "");
}

TEST(DeviceSoftMinOnTensors, compares_once_for_each_cost_and_type) {
  Log log({});
  DeviceSoftMin soft_min([]() -> const cuda::SoftMinKernels& { return kernels_with({}); });
  const TensorCase floats(kAllCosts[0], torch::kFloat32, 20);
  soft_min.reduce(floats.reduction, all_of(floats), log);
  EXPECT_EQ(behaviour.num_calls, kChecks + 1);
  soft_min.reduce(floats.reduction, all_of(floats), log);
  EXPECT_EQ(behaviour.num_calls, kChecks + 2);
  const TensorCase doubles(kAllCosts[0], torch::kFloat64, 20);
  soft_min.reduce(doubles.reduction, all_of(doubles), log);
  EXPECT_EQ(behaviour.num_calls, kChecks + 1);  // loaded anew, which counts anew
}

TEST(DeviceSoftMinOnTensors, takes_tensors_with_gaps_and_a_new_centre) {
  Log log({});
  DeviceSoftMin soft_min([]() -> const cuda::SoftMinKernels& { return emulated_kernels(); });
  TensorCase c(kAllCosts[2], torch::kFloat64, 20);  // dot
  const TensorSoftMin before = soft_min.reduce(c.reduction, all_of(c), log);
  c.reduction.x = torch::cat({c.reduction.x, c.reduction.x}, 1).narrow(1, 0, kDims);
  expect_equal(soft_min.reduce(c.reduction, all_of(c), log), before);
  c.centre = {0, 1, 2};
  c.reduction.centre = c.centre;
  EXPECT_LE(largest_difference(soft_min.reduce(c.reduction, all_of(c), log).f, by_aten(c).f),
            10 * test::tol<double>(200));
}

TEST(DeviceSoftMinOnTensors, moves_rows_as_aten_does) {
  Log log({});
  DeviceSoftMin soft_min([]() -> const cuda::SoftMinKernels& { return emulated_kernels(); });
  for (const at::ScalarType type : {torch::kFloat64, torch::kFloat32}) {
    TensorCase c(kAllCosts[0], type, 70);
    at::Tensor given = by_aten(c).f + .05 * test::uniform_tensor({70}, 6);
    given[4] = std::numeric_limits<double>::infinity();  // without mass
    given[2] = -1e6;                                     // of weight 0
    const Wanted wanted{.given_f = given, .row_weights = c.row_weights};
    const at::Tensor mine = soft_min.reduce(c.reduction, wanted, log).columns;
    EXPECT_LE(largest_difference(mine, reduce_by_aten(c.reduction, wanted).columns),
              10 * tolerance_of(type));
    EXPECT_LT(mine.sum().item<double>(), 1.7);  // e^(.05 / eps) at most
  }
}

TEST(DeviceSoftMinOnTensors, takes_costs_without_points) {
  test::CapturedStderr told;
  Log log({});
  DeviceSoftMin soft_min([]() -> const cuda::SoftMinKernels& { return emulated_kernels(); });
  for (const at::ScalarType type : {torch::kFloat64, torch::kFloat32}) {
    TensorCase c(kAllCosts[0], type, 70, 131);
    const Wanted wanted{.row_weights = c.row_weights};
    const TensorSoftMin of_points = reduce_by_aten(c.reduction, wanted);
    TensorReduction given = c.reduction;
    given.sums = torch::zeros({70, 132}, type);
    given.sums.narrow(1, 0, 131).copy_(torch::cdist(given.x, given.y).square());
    given.x = given.y = at::Tensor();
    const TensorSoftMin mine = soft_min.reduce(given, wanted, log);
    expect_near(mine, reduce_by_aten(given, wanted), 70, tolerance_of(type));
    expect_near(mine, of_points, 70, tolerance_of(type));
  }
  EXPECT_EQ(told.text(), "");
}

TEST(DeviceSoftMinOnTensors, leaves_pairs_of_infinite_cost_without_mass) {
  test::CapturedStderr told;
  Log log({});
  DeviceSoftMin soft_min([]() -> const cuda::SoftMinKernels& { return emulated_kernels(); });
  for (const at::ScalarType type : {torch::kFloat64, torch::kFloat32}) {
    TensorCase c(kAllCosts[0], type, 70, 131);
    TensorReduction given = c.reduction;
    given.sums = torch::zeros({70, 132}, type);
    given.sums.narrow(1, 0, 131).copy_(torch::cdist(given.x, given.y).square());
    given.x = given.y = at::Tensor();
    TensorReduction far = given;  // far beyond what any plan pays
    far.sums = given.sums.clone();
    const at::Tensor is_forbidden = torch::arange(70 * 132).reshape({70, 132}).remainder(3).eq(1);
    given.sums.masked_fill_(is_forbidden, std::numeric_limits<double>::infinity());
    far.sums.masked_fill_(is_forbidden, 1e6);
    const Wanted wanted{.row_weights = c.row_weights};
    const TensorSoftMin expected = reduce_by_aten(far, wanted);
    expect_near(soft_min.reduce(given, wanted, log), expected, 70, tolerance_of(type));
    expect_near(reduce_by_aten(given, wanted), expected, 70, tolerance_of(type));
  }
  EXPECT_EQ(told.text(), "");
}

TEST(DeviceSoftMinOnTensors, keeps_no_more_than_it_may) {
  Log log({});
  const TensorCase c(kAllCosts[0], torch::kFloat64, 20, 6);
  const double bytes = 20 * 8 * 8;  // 6 columns take the room of 8
  const auto load = []() -> const cuda::SoftMinKernels& { return emulated_kernels(); };
  EXPECT_TRUE(DeviceSoftMin(load, bytes).sums_of(c.reduction, log).defined());
  EXPECT_FALSE(DeviceSoftMin(load, bytes - 1).sums_of(c.reduction, log).defined());
}

TEST(DeviceSoftMinOnTensors, wrong_kernels_are_warned_of_once_and_not_used) {
  struct Spoiler {
    int seen_after;  // calls
    void (*spoil)(const cuda::SoftMinCall& call);
  };
  const std::initializer_list<Spoiler> spoilers = {
      {1, [](const cuda::SoftMinCall& call) { call.f[69] += 1e-2; }},
      {1, [](const cuda::SoftMinCall& call) { call.column_weights[129] = 0; }},
      {1, [](const cuda::SoftMinCall& call) { call.column_weights[64] += 1e-3; }},
      {1, [](const cuda::SoftMinCall& call) { call.averages[2] += 1e-2; }},
      {1, [](const cuda::SoftMinCall& call) { call.f[0] = std::nan(""); }},
      {4,
       [](const cuda::SoftMinCall& call) {
         if (call.rows_at_once > 0 && call.sums == nullptr) call.averages[0] += 1e-2;
       }},
      {3,
       [](const cuda::SoftMinCall& call) {
         if (call.rows_at_once > 0 && call.sums != nullptr) call.averages[0] += 1e-2;
       }},
      {6,
       [](const cuda::SoftMinCall& call) {
         if (call.y.count == 2100) call.f[69] += 1e-2;
       }},
      {7,
       [](const cuda::SoftMinCall& call) {
         if (call.x.count == 2100) call.column_weights[69] += 1e-3;
       }},
      {5,
       [](const cuda::SoftMinCall& call) {
         if (call.given_f != nullptr) call.column_weights[0] += 1e-3;
       }},
      {3,
       [](const cuda::SoftMinCall& call) {
         if (call.kept_parts != nullptr) call.kept_parts[199] += .1;
       }},
      {3, [](const cuda::SoftMinCall& call) {
         if (call.kept_sums != nullptr) static_cast<float*>(call.kept_sums)[0] += .1F;
       }}};
  for (const auto& [seen_after, spoil] : spoilers) {
    test::CapturedStderr told;
    Log log({});
    DeviceSoftMin soft_min(
        [&]() -> const cuda::SoftMinKernels& { return kernels_with({.spoil = spoil}); });
    const TensorCase c(kAllCosts[0], torch::kFloat32);
    expect_equal(soft_min.reduce(c.reduction, all_of(c), log), by_aten(c));
    expect_equal(soft_min.reduce(c.reduction, all_of(c), log), by_aten(c));
    EXPECT_FALSE(soft_min.sums_of(c.reduction, log).defined());
    EXPECT_FALSE(soft_min.parts_of(c.reduction, log).defined());
    EXPECT_EQ(behaviour.num_calls, seen_after);
    EXPECT_EQ(num_warnings(told.text()), 1) << told.text();
    EXPECT_THAT(told.text(), HasSubstr("differ from LibTorch's operations"));
  }
}

TEST(DeviceSoftMinOnTensors, kernels_are_judged_with_every_cost_and_type) {
  EXPECT_TRUE(kernel_faults(kernels_with({}), torch::kCPU).empty());
  EXPECT_EQ(behaviour.num_calls, 2 * (2 * 5 * kChecks + kChecks - 2));  // given costs are not kept
  const auto faults =
      kernel_faults(kernels_with({.spoil =
                                      [](const cuda::SoftMinCall& call) {
                                        if (call.cost.form == cuda::CostForm::powers) {
                                          call.column_weights[0] = 1;
                                        }
                                      }}),
                    torch::kCPU);
  ASSERT_EQ(faults.size(), 4u);
  EXPECT_THAT(faults.at(3), AllOf(HasSubstr("cost 4, d 70, Double: on 70 x 130 points")));
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
    for (int turn = 0; turn < 2; ++turn)
      expect_equal(soft_min.reduce(c.reduction, all_of(c), log), by_aten(c));
    EXPECT_EQ(num_warnings(told.text()), 1) << told.text();
    EXPECT_THAT(told.text(), AllOf(HasSubstr("are not used: "), HasSubstr("no ")));
  }
}

TEST(DeviceSoftMinOnTensors, a_launch_that_fails_later_is_an_error) {
  Log log({});
  DeviceSoftMin soft_min([]() -> const cuda::SoftMinKernels& {
    return kernels_with({.first_failing_call = kChecks + 1});
  });
  const TensorCase c(kAllCosts[0], torch::kFloat32, 20);
  EXPECT_THAT(test::message_of<NumericError>([&] { soft_min.reduce(c.reduction, all_of(c), log); }),
              AllOf(HasSubstr("20 x 200 points"), HasSubstr("no kernel image")));
}

}  // namespace
}  // namespace kantor
