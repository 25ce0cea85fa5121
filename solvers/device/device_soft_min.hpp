#pragma once

#include <functional>
#include <limits>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "distributed/context.hpp"
#include "runtime/core/log.hpp"
#include "runtime/kernels/cuda/device_soft_min.hpp"
#include "solvers/device/tensor_reduction.hpp"

namespace kantor {

/// The soft-min kernels of a GPU on tensors. Before a cost and type are first used on a device, the
/// kernels are compared with ATen's operations on a small problem; if they disagree, or cannot be
/// had, there is one warning and ATen's operations do the work. Several threads may use one object.
class DeviceSoftMin final : public PairReducer {
 public:
  /// Gives the kernels, or throws a ConfigError.
  using Load = std::function<const cuda::SoftMinKernels&()>;
  /// @param most_sums_bytes that one reduction may keep.
  explicit DeviceSoftMin(Load load,
                         double most_sums_bytes = std::numeric_limits<double>::infinity())
      : load_(std::move(load)), most_sums_bytes_(most_sums_bytes) {}

  /// Puts work on the device's current stream; but for a first use it does not wait for it.
  /// @param log is warned if the kernels cannot be used.
  /// @throws NumericError: a kernel cannot be launched.
  TensorSoftMin reduce(const TensorReduction& reduction, const Wanted& wanted, Log& log);

  /// What TensorReduction::sums may hold for these points, whatever the potentials: reductions read
  /// it in place of the points, to the same bits. Undefined where the device has no room for it or
  /// the kernels are not used. @throws NumericError.
  at::Tensor sums_of(const TensorReduction& reduction, Log& log);
  /// The same of TensorReduction::parts; undefined where the cost has none or the kernels are not
  /// used. @throws NumericError.
  at::Tensor parts_of(const TensorReduction& reduction, Log& log);

 private:
  /// The kernels to use, null: ATen's operations; and the centre on the device.
  std::pair<const cuda::SoftMinKernels*, at::Tensor> prepare(const TensorReduction& reduction,
                                                             Log& log);
  const cuda::SoftMinKernels* trusted_kernels(const TensorReduction& reduction, Log& log);
  /// Copied there when it changes. Undefined for other costs than dot.
  at::Tensor centre_of(const TensorReduction& reduction);

  Load load_;
  double most_sums_bytes_;
  std::mutex mutex_;
  std::map<std::string, const cuda::SoftMinKernels*> verdicts_;  ///< by cost, type and device
  std::vector<double> centre_values_;
  at::Tensor centre_;
};

/// The run's. @param context has one.
inline DeviceSoftMin& device_soft_min(const Context& context) {
  return static_cast<DeviceSoftMin&>(*context.pair_reducer);
}
/// That of the kernels in libkantor_cuda.so, for this process.
DeviceSoftMin& device_soft_min();

}  // namespace kantor
