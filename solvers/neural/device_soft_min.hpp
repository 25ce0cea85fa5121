#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "runtime/core/log.hpp"
#include "runtime/kernels/cuda/device_soft_min.hpp"
#include "solvers/neural/tensor_soft_min.hpp"

namespace kantor::neural {

/// The soft-min kernels of a GPU on tensors. Before a cost and type are first used on a device, the
/// kernels are compared with ATen's operations on a small problem; if they disagree, or cannot be
/// had, there is one warning and ATen's operations do the work. Several threads may use one object.
class DeviceSoftMin {
 public:
  /// Gives the kernels, or throws a ConfigError.
  using Load = std::function<const cuda::SoftMinKernels&()>;
  explicit DeviceSoftMin(Load load) : load_(std::move(load)) {}

  /// As soft_min_weights(). Puts work on the device's current stream; but for a first use it does
  /// not wait for it. @throws NumericError: a kernel cannot be launched.
  SoftWeights weights(const TensorReduction& reduction, const at::Tensor& b, Log& log);

 private:
  /// Null: ATen's operations have to do.
  const cuda::SoftMinKernels* trusted_kernels(const TensorReduction& reduction, Log& log);
  /// On the device of the points; copied there when it changes.
  at::Tensor centre_of(const TensorReduction& reduction);

  Load load_;
  std::mutex mutex_;
  std::map<std::string, const cuda::SoftMinKernels*> verdicts_;  ///< by cost, type and device
  std::vector<double> centre_values_;
  at::Tensor centre_;
};

/// That of the kernels in libkantor_cuda.so, for this process.
DeviceSoftMin& device_soft_min();

}  // namespace kantor::neural
