#include "solvers/neural/tensor_soft_min.hpp"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include "tests/solvers/device/tensor_case.hpp"
#include "tests/solvers/small_problem.hpp"
#include "tests/support/tolerance.hpp"

// Shapes: N rows x, M columns y, D dimensions.

namespace kantor::neural {
namespace {

using test::kAllCosts;
using test::kDims;
using test::largest_difference;
using Case = test::TensorCase;

SoftWeights by_aten(const Case& c) {
  const TensorSoftMin result = reduce_by_aten(c.reduction, {.row_weights = c.row_weights});
  return {result.f, result.columns};
}

TEST(TensorSoftMin, is_the_same_by_kernels_and_by_aten) {
  ThreadPool pool(1);
  Log log({});
  for (const kernels::Cost& cost : kAllCosts) {
    for (const at::ScalarType type : {torch::kFloat64, torch::kFloat32}) {
      const Case c(cost, type);
      const SoftWeights mine = soft_min_weights(c.reduction, c.row_weights, pool, log);
      const SoftWeights theirs = by_aten(c);
      // Costs of order 1 are rounded in the type of the points, and epsilon divides by 10 what the
      // exponentials see of it; weights are of order 1 / 200.
      const double eps = type == torch::kFloat32 ? test::tol<float>(kDims) : test::tol<double>(200);
      EXPECT_LE(largest_difference(mine.values, theirs.values), eps);
      EXPECT_LE(largest_difference(mine.weights, theirs.weights), 10 * eps);
      EXPECT_NEAR(mine.weights.sum().item<double>(), 1, 10 * eps);
      EXPECT_EQ(theirs.weights[3].item<double>(), 0);  // absent
    }
  }
}

TEST(TensorSoftMin, takes_no_rows_and_one_row) {
  ThreadPool pool(1);
  Log log({});
  const Case none(kAllCosts[0], torch::kFloat64, 0);
  for (const SoftWeights& result :
       {soft_min_weights(none.reduction, none.row_weights, pool, log), by_aten(none)}) {
    EXPECT_EQ(result.values.numel(), 0);
    EXPECT_EQ(result.weights.abs().sum().item<double>(), 0);
  }
  const Case one(kAllCosts[0], torch::kFloat64, 1);
  EXPECT_LE(largest_difference(soft_min_weights(one.reduction, one.row_weights, pool, log).values,
                               by_aten(one).values),
            test::tol<double>(200));
}

}  // namespace
}  // namespace kantor::neural
