#pragma once

// The soft-min reduction of a step on tensors: our kernels on the CPU and on GPUs
// (device_soft_min.hpp), ATen's operations elsewhere. Shapes: N rows y, M columns x, D dimensions.

#include <ATen/core/Tensor.h>

#include <span>

#include "runtime/core/log.hpp"
#include "runtime/core/thread_pool.hpp"
#include "runtime/kernels/cost_matrix.hpp"

namespace kantor::neural {

/// What is reduced; points are minus `centre`, in one of float32 and float64, on one device.
struct TensorReduction {
  kernels::Cost cost;
  std::span<const double> centre;  ///< [D]
  at::Tensor y;                    ///< [N, D]
  at::Tensor x;                    ///< [M, D]
  at::Tensor log_a;                ///< [M] float64 log-weights of x, -inf for an absent point
  at::Tensor f;                    ///< [M] float64 potentials at x
  double epsilon = 0;
};

struct SoftWeights {
  at::Tensor values;   ///< [N] float64: -eps log sum_i a_i exp((f_i - C_ij) / eps) at each y_j
  at::Tensor weights;  ///< [M] float64: sum_j b_j P(i | j)
};

/// @param b   [N] float64 row weights.
/// @param log is warned if the kernels of a GPU cannot be used.
SoftWeights soft_min_weights(const TensorReduction& reduction, const at::Tensor& b,
                             ThreadPool& pool, Log& log);

/// The same by ATen's operations, on any device, in tiles of rows: no N x M tensor. What the
/// kernels are compared with, too.
SoftWeights soft_min_weights_by_aten(const TensorReduction& reduction, const at::Tensor& b);

}  // namespace kantor::neural
