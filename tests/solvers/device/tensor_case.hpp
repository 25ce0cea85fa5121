#pragma once

// A soft-min reduction on tensors. Shapes: N rows x, M columns y, D dimensions.

#include <torch/torch.h>

#include <vector>

#include "runtime/random/philox.hpp"
#include "solvers/device/tensor_reduction.hpp"

namespace kantor::test {

inline constexpr std::int64_t kDims = 3;

inline at::Tensor uniform_tensor(at::IntArrayRef shape, std::uint64_t stream) {
  const random::Stream numbers(5, random::Purpose::generator, static_cast<std::uint32_t>(stream));
  at::Tensor tensor = torch::empty(shape, torch::kFloat64);
  for (std::int64_t i = 0; i < tensor.numel(); ++i) {
    tensor.data_ptr<double>()[i] = numbers.uniform(static_cast<std::uint64_t>(i));
  }
  return tensor;
}

/// Weights with zeros among them; 1500 rows are more than one tile.
struct TensorCase {
  std::vector<double> centre = {0.5, -0.25, 0.125};
  at::Tensor b;
  at::Tensor row_weights;
  TensorReduction reduction;

  TensorCase(const kernels::Cost& cost, at::ScalarType type, std::int64_t n = 1500,
             std::int64_t m = 200) {
    b = uniform_tensor({m}, 1);
    b[3] = 0;
    b /= b.sum();
    row_weights = uniform_tensor({n}, 2);
    if (n > 2) row_weights[2] = 0;
    row_weights /= row_weights.sum();
    reduction = {.cost = cost,
                 .centre = centre,
                 .x = (uniform_tensor({n, kDims}, 3) - 0.5).to(type),
                 .y = (uniform_tensor({m, kDims}, 4) - 0.5).to(type),
                 .log_b = b.log(),
                 .g = uniform_tensor({m}, 5),
                 .epsilon = 0.1};
  }
};

inline double largest_difference(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

}  // namespace kantor::test
