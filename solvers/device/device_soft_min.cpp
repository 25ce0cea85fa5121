#include "solvers/device/device_soft_min.hpp"

#include <torch/torch.h>

#include <algorithm>

#include "distributed/nccl/cuda_kernels.hpp"
#include "runtime/core/error.hpp"
#include "solvers/device/kernel_calls.hpp"
#include "solvers/device/kernel_check.hpp"

namespace kantor {

namespace {

std::string description(const TensorReduction& reduction) {
  return concat(reduction.has_given_costs()
                    ? std::string("given costs")
                    : concat("cost ", static_cast<int>(reduction.cost.kind), ", p ",
                             reduction.cost.p, ", d ", dimensions_to_check(reduction)),
                ", ", c10::toString(reduction.type()), ", ", reduction.g.device().str());
}

}  // namespace

const cuda::SoftMinKernels* DeviceSoftMin::trusted_kernels(const TensorReduction& reduction,
                                                           Log& log) {
  const std::string use = description(reduction);
  const auto known = verdicts_.find(use);
  if (known != verdicts_.end()) return known->second;
  const cuda::SoftMinKernels* kernels = nullptr;
  std::string reason;
  try {
    kernels = &load_();
    reason = kernel_fault(*kernels, reduction);
  } catch (const std::exception& error) {  // LibTorch's too
    reason = error.what();
  }
  if (!reason.empty()) {
    kernels = nullptr;
    log.warn(concat("the soft-min kernels (", use, ") are not used: ", reason,
                    "; LibTorch's operations do the work, more slowly. Please report this"));
  }
  return verdicts_[use] = kernels;
}

at::Tensor DeviceSoftMin::centre_of(const TensorReduction& reduction) {
  if (reduction.has_given_costs() || reduction.cost.kind != kernels::CostKind::dot ||
      reduction.centre.empty()) {
    return {};
  }
  const at::Device device = reduction.g.device();
  if (!centre_.defined() || centre_.device() != device ||
      !std::equal(centre_values_.begin(), centre_values_.end(), reduction.centre.begin(),
                  reduction.centre.end())) {
    centre_ = centre_on_device(reduction);
    centre_values_.assign(reduction.centre.begin(), reduction.centre.end());
  }
  return centre_;
}

std::pair<const cuda::SoftMinKernels*, at::Tensor> DeviceSoftMin::prepare(
    const TensorReduction& reduction, Log& log) {
  const std::lock_guard lock(mutex_);
  return {trusted_kernels(reduction, log), centre_of(reduction)};
}

TensorSoftMin DeviceSoftMin::reduce(const TensorReduction& reduction, const Wanted& wanted,
                                    Log& log) {
  const torch::NoGradGuard no_grad;
  const auto [kernels, centre] = prepare(reduction, log);
  return kernels == nullptr ? reduce_by_aten(reduction, wanted)
                            : reduce_by_kernels(*kernels, reduction, centre, wanted);
}

at::Tensor DeviceSoftMin::sums_of(const TensorReduction& reduction, Log& log) {
  const torch::NoGradGuard no_grad;
  const auto [kernels, centre] = prepare(reduction, log);
  if (kernels == nullptr) return {};
  const at::Tensor sums = room_for_sums(reduction, most_sums_bytes_);
  if (sums.defined()) keep(*kernels, reduction, centre, sums, {});
  return sums;
}

at::Tensor DeviceSoftMin::parts_of(const TensorReduction& reduction, Log& log) {
  const torch::NoGradGuard no_grad;
  const auto [kernels, centre] = prepare(reduction, log);
  if (kernels == nullptr) return {};
  const at::Tensor parts = room_for_parts(reduction, centre);
  if (parts.defined()) keep(*kernels, reduction, centre, {}, parts);
  return parts;
}

DeviceSoftMin& device_soft_min() {
  static DeviceSoftMin of_library(&soft_min_kernels_of_library);
  return of_library;
}

}  // namespace kantor
