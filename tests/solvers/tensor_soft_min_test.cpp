#include "solvers/neural/tensor_soft_min.hpp"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include "runtime/random/philox.hpp"
#include "tests/solvers/small_problem.hpp"
#include "tests/support/tolerance.hpp"

// Shapes: N rows y, M columns x, D dimensions.

namespace kantor::neural {
namespace {

using test::kAllCosts;

constexpr std::int64_t kDims = 3;

at::Tensor uniform(at::IntArrayRef shape, std::uint64_t stream) {
  const random::Stream numbers(5, random::Purpose::generator, static_cast<std::uint32_t>(stream));
  at::Tensor tensor = torch::empty(shape, torch::kFloat64);
  for (std::int64_t i = 0; i < tensor.numel(); ++i) {
    tensor.data_ptr<double>()[i] = numbers.uniform(static_cast<std::uint64_t>(i));
  }
  return tensor;
}

/// Weights with zeros among them; 1500 rows are more than one tile.
struct Case {
  std::vector<double> centre = {0.5, -0.25, 0.125};
  at::Tensor a;
  at::Tensor b;
  TensorReduction reduction;

  Case(const kernels::Cost& cost, at::ScalarType type, std::int64_t n = 1500,
       std::int64_t m = 200) {
    a = uniform({m}, 1);
    a[3] = 0;
    a /= a.sum();
    b = uniform({n}, 2);
    if (n > 2) b[2] = 0;
    b /= b.sum();
    reduction = {.cost = cost,
                 .centre = centre,
                 .y = (uniform({n, kDims}, 3) - 0.5).to(type),
                 .x = (uniform({m, kDims}, 4) - 0.5).to(type),
                 .log_a = a.log(),
                 .f = uniform({m}, 5),
                 .epsilon = 0.1};
  }
};

double largest_difference(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

TEST(TensorSoftMin, is_the_same_by_kernels_and_by_aten) {
  ThreadPool pool(1);
  for (const kernels::Cost& cost : kAllCosts) {
    for (const at::ScalarType type : {torch::kFloat64, torch::kFloat32}) {
      const Case c(cost, type);
      const SoftWeights mine = soft_min_weights(c.reduction, c.b, pool);
      const SoftWeights theirs = soft_min_weights_by_aten(c.reduction, c.b);
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
  const Case none(kAllCosts[0], torch::kFloat64, 0);
  for (const SoftWeights& result : {soft_min_weights(none.reduction, none.b, pool),
                                    soft_min_weights_by_aten(none.reduction, none.b)}) {
    EXPECT_EQ(result.values.numel(), 0);
    EXPECT_EQ(result.weights.abs().sum().item<double>(), 0);
  }
  const Case one(kAllCosts[0], torch::kFloat64, 1);
  EXPECT_LE(largest_difference(soft_min_weights(one.reduction, one.b, pool).values,
                               soft_min_weights_by_aten(one.reduction, one.b).values),
            test::tol<double>(200));
}

}  // namespace
}  // namespace kantor::neural
