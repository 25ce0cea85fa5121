#include "solvers/neural/tensor_soft_min.hpp"

#include <torch/torch.h>

#include "runtime/kernels/soft_min.hpp"
#include "solvers/device/device_soft_min.hpp"

namespace kantor::neural {

namespace {

std::span<double> doubles(const at::Tensor& tensor) {
  return {tensor.data_ptr<double>(), static_cast<std::size_t>(tensor.numel())};
}

template <class T>
kernels::Points<T> points(const at::Tensor& tensor) {
  return {tensor.data_ptr<T>(), tensor.size(0), tensor.size(1)};
}

template <class T>
SoftWeights by_kernels(const TensorReduction& reduction, const at::Tensor& row_weights,
                       ThreadPool& pool) {
  SoftWeights result{torch::empty_like(row_weights), torch::zeros_like(reduction.g)};
  if (row_weights.numel() == 0) return result;
  const auto cost = kernels::streamed_cost<T>(reduction.cost, points<T>(reduction.x),
                                              points<T>(reduction.y), reduction.centre);
  kernels::soft_min_weights<T>(
      {*cost, doubles(reduction.log_b), doubles(reduction.g), reduction.epsilon},
      doubles(row_weights), pool, doubles(result.values), doubles(result.weights));
  return result;
}

template <class T>
at::Tensor averages_by_kernels(const TensorReduction& reduction, const at::Tensor& values,
                               ThreadPool& pool) {
  at::Tensor averages = torch::zeros({reduction.n(), values.size(1)}, torch::kFloat64);
  if (averages.numel() == 0) return averages;
  const at::Tensor given = values.contiguous();
  const auto cost = kernels::streamed_cost<T>(reduction.cost, points<T>(reduction.x),
                                              points<T>(reduction.y), reduction.centre);
  std::vector<double> f(static_cast<std::size_t>(reduction.n()));
  kernels::soft_min_averages<T>(
      {*cost, doubles(reduction.log_b), doubles(reduction.g), reduction.epsilon},
      {given.data_ptr<T>(), static_cast<std::size_t>(given.numel())}, values.size(1), pool, f,
      doubles(averages));
  return averages;
}

TensorSoftMin reduce(const TensorReduction& reduction, const Wanted& wanted, Log& log) {
  return reduction.x.is_cuda() ? device_soft_min().reduce(reduction, wanted, log)
                               : reduce_by_aten(reduction, wanted);
}

}  // namespace

at::Tensor soft_min_averages(const TensorReduction& reduction, const at::Tensor& values,
                             ThreadPool& pool, Log& log) {
  if (!reduction.x.is_cpu()) return reduce(reduction, {.values = values}, log).averages;
  return reduction.x.scalar_type() == at::kFloat
             ? averages_by_kernels<float>(reduction, values, pool)
             : averages_by_kernels<double>(reduction, values, pool);
}

SoftWeights soft_min_weights(const TensorReduction& reduction, const at::Tensor& row_weights,
                             ThreadPool& pool, Log& log) {
  if (reduction.x.is_cpu()) {
    return reduction.x.scalar_type() == at::kFloat
               ? by_kernels<float>(reduction, row_weights, pool)
               : by_kernels<double>(reduction, row_weights, pool);
  }
  const TensorSoftMin result = reduce(reduction, {.row_weights = row_weights}, log);
  return {result.f, result.columns};
}

}  // namespace kantor::neural
