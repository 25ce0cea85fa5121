#include "solvers/neural/tensor_soft_min.hpp"

#include <torch/torch.h>

#include <algorithm>
#include <vector>

#include "runtime/core/error.hpp"
#include "runtime/kernels/soft_min.hpp"
#include "solvers/neural/device_soft_min.hpp"

namespace kantor::neural {

namespace {

using kernels::CostKind;

std::span<double> doubles(const at::Tensor& tensor) {
  return {tensor.data_ptr<double>(), static_cast<std::size_t>(tensor.numel())};
}

template <class T>
kernels::Points<T> points(const at::Tensor& tensor) {
  return {tensor.data_ptr<T>(), tensor.size(0), tensor.size(1)};
}

template <class T>
SoftWeights by_kernels(const TensorReduction& reduction, const at::Tensor& b, ThreadPool& pool) {
  SoftWeights result{torch::empty_like(b), torch::zeros_like(reduction.f)};
  if (b.numel() == 0) return result;
  const auto cost = kernels::streamed_cost<T>(reduction.cost, points<T>(reduction.y),
                                              points<T>(reduction.x), reduction.centre);
  kernels::soft_min_weights<T>(
      {*cost, doubles(reduction.log_a), doubles(reduction.f), reduction.epsilon}, doubles(b), pool,
      doubles(result.values), doubles(result.weights));
  return result;
}

/// C [N, M]. Points are centred, so little cancels in the expanded squares.
at::Tensor costs(const TensorReduction& reduction, const at::Tensor& y) {
  const at::Tensor& x = reduction.x;
  const auto square = [&] {
    return (y.square().sum(1, true) + x.square().sum(1) - 2 * y.mm(x.t())).clamp_min(0);
  };
  switch (reduction.cost.kind) {
    case CostKind::sqeuclidean:
      return square();
    case CostKind::half_sqeuclidean:
      return square() / 2;
    case CostKind::euclidean:
      return torch::cdist(y, x);
    case CostKind::pnorm:
      return torch::cdist(y, x, reduction.cost.p).pow(reduction.cost.p) / reduction.cost.p;
    case CostKind::dot:
      break;
  }
  const at::Tensor centre =
      torch::from_blob(const_cast<double*>(reduction.centre.data()),
                       {static_cast<std::int64_t>(reduction.centre.size())}, torch::kFloat64)
          .to(x.options());
  return -(y + centre).mm((x + centre).t());
}

}  // namespace

SoftWeights soft_min_weights_by_aten(const TensorReduction& reduction, const at::Tensor& b) {
  constexpr std::int64_t kRows = 1024;
  const torch::NoGradGuard no_grad;
  const at::Tensor bias = reduction.log_a + reduction.f / reduction.epsilon;  // [M]
  SoftWeights result{torch::empty_like(b), torch::zeros_like(reduction.f)};
  for (std::int64_t first = 0; first < b.numel(); first += kRows) {
    const std::int64_t count = std::min(kRows, b.numel() - first);
    const at::Tensor c = costs(reduction, reduction.y.narrow(0, first, count));
    const at::Tensor logits = bias - c.to(torch::kFloat64) / reduction.epsilon;  // [count, M]
    const at::Tensor total = logits.logsumexp(1);                                // [count]
    result.values.narrow(0, first, count).copy_(-reduction.epsilon * total);
    const at::Tensor plan = (logits - total.unsqueeze(1)).exp();
    result.weights += b.narrow(0, first, count).matmul(plan);
  }
  return result;
}

SoftWeights soft_min_weights(const TensorReduction& reduction, const at::Tensor& b,
                             ThreadPool& pool, Log& log) {
  if (reduction.x.is_cuda()) return device_soft_min().weights(reduction, b, log);
  if (!reduction.x.is_cpu()) return soft_min_weights_by_aten(reduction, b);
  return reduction.x.scalar_type() == at::kFloat ? by_kernels<float>(reduction, b, pool)
                                                 : by_kernels<double>(reduction, b, pool);
}

}  // namespace kantor::neural
