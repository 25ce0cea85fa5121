#pragma once

// Shapes: B rows, I inputs, O outputs.

#include <ATen/core/Tensor.h>

namespace kantor::neural {

/// x w^T + bias [B, O], as one GEMM. Where no gradient is recorded, float32 products on the CPU are
/// oneDNN's: its kernels take the widest vectors of any processor, MKL's those of Intel's alone
/// (measured on Zen 5: 2.2 times as fast).
/// @param x [B, I]. @param w [O, I], any strides. @param bias [O], or undefined for none.
at::Tensor affine(const at::Tensor& x, const at::Tensor& w, const at::Tensor& bias = {});

}  // namespace kantor::neural
