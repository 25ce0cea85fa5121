#pragma once

// The soft-min reduction (runtime/kernels/soft_min.hpp) on tensors.
// Shapes: N rows x, M columns y, D dimensions, K value columns.

#include <ATen/core/Tensor.h>

#include <span>

#include "runtime/kernels/cost_matrix.hpp"

namespace kantor {

/// What is reduced; everything but the centre is on one device. Points are minus `centre`, in one
/// of float32 and float64; vectors over points are float64.
struct TensorReduction {
  kernels::Cost cost;
  std::span<const double> centre;  ///< [D] on the host; no cost but dot depends on it
  at::Tensor x = {};               ///< [N, D]; undefined where `sums` are costs themselves
  at::Tensor y = {};               ///< [M, D]; the same
  at::Tensor log_b;                ///< [M] log-weights of y, -inf for an absent point
  at::Tensor g = {};               ///< [M] potentials at y
  double epsilon = 0;
  /// [N, M rounded up to a multiple of 4] as DeviceSoftMin::sums_of() gives them, or costs;
  /// undefined: costs are made from the points.
  at::Tensor sums = {};

  /// [N + M] as DeviceSoftMin::parts_of() gives them; undefined: made from the points.
  at::Tensor parts = {};

  bool has_given_costs() const { return !x.defined(); }
  std::int64_t m() const { return g.size(0); }
  std::int64_t n() const { return has_given_costs() ? sums.size(0) : x.size(0); }
  at::ScalarType type() const { return has_given_costs() ? sums.scalar_type() : x.scalar_type(); }
};

/// What is wanted of it; undefined: nothing.
struct Wanted {
  at::Tensor given_f = {};      ///< [N] any f; undefined: the soft minima, which are wanted then
  at::Tensor row_weights = {};  ///< [N] of any sign
  at::Tensor values = {};       ///< [M, K] of the points' type
};

/// S_ij = b_j exp((f_i + g_j - C_ij) / eps); nothing where f_i is +inf. All float64.
struct TensorSoftMin {
  at::Tensor f;         ///< [N] soft minima, or given_f
  at::Tensor columns;   ///< [M] sum_i row_weights_i S_ij; rows of weight 0 add nothing
  at::Tensor averages;  ///< [N, K] sum_j S_ij values_j
};

/// By ATen's operations, on any device, in tiles of rows: no N x M tensor. What the kernels of a
/// GPU are compared with, and what stands in for them.
TensorSoftMin reduce_by_aten(const TensorReduction& reduction, const Wanted& wanted);

}  // namespace kantor
