#include "solvers/neural/mlp.hpp"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <vector>

#include "solvers/neural/affine.hpp"
#include "tests/support/tolerance.hpp"

// Shapes: B points, D inputs.

namespace kantor::test {
namespace {

using neural::Mlp;
using neural::NetworkConfig;

Mlp network_of(const std::string& activation, std::vector<std::int64_t> width, std::int64_t d,
               at::ScalarType type) {
  NetworkConfig config;
  config.width = std::move(width);
  config.activation = activation;
  const Mlp network(config, d, type, 3);
  double phase = 0;
  for (const NamedParameter& parameter : network.parameters()) {  // the last layer starts at zero
    const at::Tensor values = torch::arange(parameter.tensor.numel(), torch::kFloat64);
    parameter.tensor.copy_(torch::sin(values * .7 + ++phase).mul(.3).view_as(parameter.tensor));
    parameter.tensor.mutable_grad() = torch::zeros_like(parameter.tensor);
  }
  return network;
}

std::vector<at::Tensor> gradients(const Mlp& network) {
  std::vector<at::Tensor> result;
  for (const NamedParameter& parameter : network.parameters()) {
    result.push_back(parameter.tensor.grad().clone());
    parameter.tensor.mutable_grad().zero_();
  }
  return result;
}

/// By hand, and by autograd on the same parameters.
void expect_gradients_of_autograd(const Mlp& network, const at::Tensor& x, double tolerance) {
  const at::Tensor cotangents = torch::cos(torch::arange(x.size(0), x.options()));  // [B]
  neural::Tape tape;
  const at::Tensor output = network.forward(x, tape);
  EXPECT_FALSE(output.requires_grad());
  network.backward(tape, cotangents);
  const std::vector<at::Tensor> by_hand = gradients(network);

  for (const NamedParameter& parameter : network.parameters()) {
    parameter.tensor.requires_grad_();
  }
  const at::Tensor differentiable = network.forward(x);
  differentiable.backward(cotangents);
  const std::vector<at::Tensor> by_autograd = gradients(network);
  EXPECT_LT((output - differentiable).abs().max().item<double>(), tolerance);
  for (std::size_t k = 0; k < by_hand.size(); ++k) {
    const double size = by_autograd[k].abs().max().item<double>();
    EXPECT_GT(size, 1e-5) << k;  // there is something to compare
    EXPECT_LT((by_hand[k] - by_autograd[k]).abs().max().item<double>(), tolerance * (1 + size))
        << network.parameters()[k].name;
  }
}

TEST(Mlp, has_the_gradients_of_autograd_for_every_activation) {
  for (const std::string& activation : neural::kActivations) {
    SCOPED_TRACE(activation);
    const at::Tensor x = torch::sin(torch::arange(36, torch::kFloat64)).view({12, 3});
    expect_gradients_of_autograd(network_of(activation, {7, 5}, 3, torch::kFloat64), x, 1e-13);
  }
}

TEST(Mlp, has_them_for_one_layer_and_one_point_and_many_layers) {
  const at::Tensor x = torch::sin(torch::arange(3, torch::kFloat64)).view({1, 3});
  expect_gradients_of_autograd(network_of("silu", {4}, 3, torch::kFloat64), x, 1e-13);
  expect_gradients_of_autograd(network_of("silu", {4, 1, 6, 2}, 3, torch::kFloat64), x, 1e-13);
}

TEST(Mlp, has_them_in_sizes_where_the_products_are_those_of_one_dnn) {
  const at::Tensor x = torch::sin(torch::arange(600 * 40, torch::kFloat32)).view({600, 40});
  // Sums of 600 terms of order 1.
  expect_gradients_of_autograd(network_of("silu", {64, 96}, 40, torch::kFloat32), x,
                               20 * tol<float>(600));
}

TEST(Mlp, adds_to_the_gradients_that_are_there) {
  const at::Tensor x = torch::sin(torch::arange(36, torch::kFloat64)).view({12, 3});
  const Mlp network = network_of("silu", {7, 5}, 3, torch::kFloat64);
  neural::Tape tape;
  network.forward(x, tape);
  network.backward(tape, torch::ones(12, torch::kFloat64));
  const std::vector<at::Tensor> once = gradients(network);
  network.backward(tape, torch::ones(12, torch::kFloat64));
  network.backward(tape, torch::ones(12, torch::kFloat64));
  const std::vector<at::Tensor> twice = gradients(network);
  for (std::size_t k = 0; k < once.size(); ++k) EXPECT_TRUE(twice[k].equal(2 * once[k])) << k;
}

TEST(Affine, is_the_product_for_any_strides_on_either_side_of_the_threshold) {
  for (const std::int64_t rows : {3, 4096}) {
    const at::Tensor x = torch::sin(torch::arange(rows * 16, torch::kFloat32)).view({rows, 16});
    const at::Tensor w = torch::cos(torch::arange(16 * 24, torch::kFloat32)).view({24, 16});
    const at::Tensor bias = torch::arange(24, torch::kFloat32);
    const at::Tensor exact =
        x.to(torch::kFloat64).mm(w.t().to(torch::kFloat64)) + bias.to(torch::kFloat64);
    const double limit = 30 * tol<float>(16);
    for (const bool is_strided : {false, true}) {
      const at::Tensor left = is_strided ? x.t().contiguous().t() : x;
      const at::Tensor right = is_strided ? w.t().contiguous().t() : w;
      const at::Tensor product = neural::affine(left, right, bias);
      EXPECT_LT((product.to(torch::kFloat64) - exact).abs().max().item<double>(), limit);
      EXPECT_LT((neural::affine(left, right).to(torch::kFloat64) + bias - exact)
                    .abs()
                    .max()
                    .item<double>(),
                limit);
    }
  }
}

}  // namespace
}  // namespace kantor::test
