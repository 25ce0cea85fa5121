#pragma once

#include <string>
#include <vector>

#include "runtime/kernels/cuda/device_soft_min.hpp"
#include "solvers/device/tensor_reduction.hpp"

namespace kantor {

/// Compares everything that the kernels do with ATen's operations, on a small problem with the
/// cost, type and device of `like`, of dimensions_to_check(). @return why they must not be used, or
/// "".
/// @throws NumericError: a kernel cannot be launched.
std::string kernel_fault(const cuda::SoftMinKernels& kernels, const TensorReduction& like);

/// Those of `like`; many are all alike to the kernels.
std::int64_t dimensions_to_check(const TensorReduction& like);

/// The same for every cost, few dimensions and many, and both types.
std::vector<std::string> kernel_faults(const cuda::SoftMinKernels& kernels,
                                       const at::Device& device);

}  // namespace kantor
