#pragma once

// Calls of the soft-min kernels on tensors. Shapes: N rows x, M columns y, D dimensions.

#include <span>

#include "runtime/kernels/cuda/device_soft_min.hpp"
#include "solvers/device/tensor_reduction.hpp"

namespace kantor {

/// The centre as kernels take it; undefined for other costs than dot, which do not depend on it.
at::Tensor centre_on_device(const TensorReduction& reduction);

/// How a reduction is cut; see cuda::SoftMinCall.
struct Cut {
  std::int64_t rows_at_once = 0;
  std::int64_t enough_blocks = 0;
};

/// As reduce_by_aten(). Puts work on the device's current stream, and does not wait for it.
/// @throws NumericError: a kernel cannot be launched.
TensorSoftMin reduce_by_kernels(const cuda::SoftMinKernels& kernels,
                                const TensorReduction& reduction, const at::Tensor& centre,
                                const Wanted& wanted, const Cut& cut = {});

/// [N, M rounded up to a multiple of 4], uninitialised; undefined where it, and some room beside
/// it, cannot be had.
at::Tensor room_for_sums(const TensorReduction& reduction, double most_bytes);

/// [N + M], uninitialised; undefined where costs have no parts that belong to one point.
at::Tensor room_for_parts(const TensorReduction& reduction, const at::Tensor& centre);

/// What later calls read instead of making it from the points. @param[out] sums from
/// room_for_sums(). @param[out] parts from room_for_parts(). Undefined: not wanted.
void keep(const cuda::SoftMinKernels& kernels, const TensorReduction& reduction,
          const at::Tensor& centre, const at::Tensor& sums, const at::Tensor& parts);

}  // namespace kantor
