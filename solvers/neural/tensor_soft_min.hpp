#pragma once

// The soft-min reduction of a step on tensors: our kernels on the CPU and on GPUs
// (solvers/device), ATen's operations elsewhere. Shapes: N rows x, M columns y.

#include "runtime/core/log.hpp"
#include "runtime/core/thread_pool.hpp"
#include "solvers/device/tensor_reduction.hpp"

namespace kantor::neural {

struct SoftWeights {
  at::Tensor values;   ///< [N] float64: -eps log sum_j b_j exp((g_j - C_ij) / eps) at each x_i
  at::Tensor weights;  ///< [M] float64: sum_i row_weights_i P(j | i)
};

/// Averages of values under the plan's law of y given each x. @param values [M, K] of the points'
/// type. @return [N, K] float64.
at::Tensor soft_min_averages(const TensorReduction& reduction, const at::Tensor& values,
                             ThreadPool& pool, Log& log);

/// @param reduction   of points.
/// @param row_weights [N] float64.
/// @param log is warned if the kernels of a GPU cannot be used.
SoftWeights soft_min_weights(const TensorReduction& reduction, const at::Tensor& row_weights,
                             ThreadPool& pool, Log& log);

}  // namespace kantor::neural
