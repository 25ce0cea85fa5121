#include "solvers/neural/device_soft_min.hpp"

#include <c10/core/DeviceGuard.h>
#include <torch/torch.h>

#include <cmath>
#include <limits>

#include "distributed/device.hpp"
#include "distributed/nccl/cuda_kernels.hpp"
#include "runtime/core/error.hpp"
#include "runtime/kernels/cuda/pair_cost.hpp"

namespace kantor::neural {

namespace {

cuda::DevicePoints points(const at::Tensor& tensor) {
  return {tensor.const_data_ptr(), tensor.size(0), tensor.size(1)};
}

/// @param centre [D] on the device; undefined for other costs than dot.
SoftWeights by_kernels(const cuda::SoftMinKernels& table, const TensorReduction& reduction,
                       const at::Tensor& b, const at::Tensor& centre) {
  const c10::DeviceGuard guard(reduction.x.device());
  SoftWeights result{torch::empty_like(b), torch::empty_like(reduction.f)};
  // What follows keeps these alive: memory is reused in the order of the stream.
  const at::Tensor x = reduction.x.contiguous(), y = reduction.y.contiguous();
  const at::Tensor log_a = reduction.log_a.contiguous(), f = reduction.f.contiguous();
  const at::Tensor row_weights = b.contiguous();
  cuda::SoftMinCall call;
  call.is_double = x.scalar_type() == at::kDouble;
  call.cost = cuda::pair_cost(reduction.cost);
  call.d = x.size(1);
  call.x = points(y);  // the kernels' rows
  call.y = points(x);
  const bool is_dot = reduction.cost.kind == kernels::CostKind::dot;  // no other depends on it
  call.centre = is_dot ? centre.const_data_ptr<double>() : nullptr;
  call.log_b = log_a.const_data_ptr<double>();
  call.g = f.const_data_ptr<double>();
  call.epsilon = reduction.epsilon;
  call.f = result.values.data_ptr<double>();
  call.row_weights = row_weights.const_data_ptr<double>();
  call.column_weights = result.weights.data_ptr<double>();
  const at::Tensor scratch = torch::empty({static_cast<std::int64_t>(table.scratch_bytes(call))},
                                          x.options().dtype(torch::kUInt8));
  const char* problem =
      table.enqueue(call, scratch.data_ptr(), current_stream(reduction.x.device()));
  if (problem != nullptr) {
    throw NumericError(concat("soft-min kernels on ", x.device().str(), ", ", y.size(0), " x ",
                              x.size(0), " points of ", x.size(1), " dimensions: ", problem));
  }
  return result;
}

/// A problem beyond one tile each way, with an absent point; costs of order 1.
struct SmallProblem {
  static constexpr std::int64_t kRows = 70, kColumns = 130;
  std::vector<double> centre;
  TensorReduction reduction;
  at::Tensor b;

  explicit SmallProblem(const TensorReduction& like) {
    const auto numbers = [&](at::IntArrayRef shape, double frequency) {
      const std::int64_t count = c10::multiply_integers(shape);
      return (frequency * torch::arange(1, count + 1, torch::kFloat64)).sin().reshape(shape);
    };
    const std::int64_t d = std::min<std::int64_t>(like.x.size(1), 70);
    const double side = 1 / std::sqrt(static_cast<double>(d));
    const at::Device device = like.x.device();
    centre.assign(static_cast<std::size_t>(d), side / 2);
    at::Tensor a = 2 + numbers({kColumns}, 1.1);
    a[3] = 0;
    b = ((2 + numbers({kRows}, 1.3)) / (2 * kRows)).to(device);
    reduction = {.cost = like.cost,
                 .centre = centre,
                 .y = (side * numbers({kRows, d}, 1.7)).to(like.x.options()),
                 .x = (side * numbers({kColumns, d}, 2.3)).to(like.x.options()),
                 .log_a = (a / a.sum()).log().to(device),
                 .f = numbers({kColumns}, 0.7).to(device),
                 .epsilon = .25};
  }
};

at::Tensor on_device(const std::vector<double>& centre, const at::Device& device) {
  return torch::tensor(centre, torch::kFloat64).to(device);
}

/// Why the kernels must not be used, or "".
std::string disagreement(const cuda::SoftMinKernels& kernels, const TensorReduction& like) {
  const SmallProblem small(like);
  const at::Tensor centre = on_device(small.centre, like.x.device());
  const SoftWeights mine = by_kernels(kernels, small.reduction, small.b, centre);
  const SoftWeights theirs = soft_min_weights_by_aten(small.reduction, small.b);
  // Costs are at most 4, a logit 16 of them: a few dozen roundings of that are far more than either
  // side errs. Weights sum to about 1, and err by as much as the logits.
  const double tolerance =
      256 * (like.x.scalar_type() == at::kFloat ? std::numeric_limits<float>::epsilon()
                                                : std::numeric_limits<double>::epsilon());
  const double values = (mine.values - theirs.values).abs().max().item<double>();
  const double weights = (mine.weights - theirs.weights).abs().sum().item<double>();
  if (values <= tolerance && weights <= 8 * tolerance) return "";  // false for NaN
  return concat("on a small problem they differ from LibTorch's operations by ", values,
                " in the values and ", weights, " in the weights (at most ", tolerance, " and ",
                8 * tolerance, " expected)");
}

std::string description(const TensorReduction& reduction) {
  return concat("cost ", static_cast<int>(reduction.cost.kind), ", p ", reduction.cost.p, ", ",
                c10::toString(reduction.x.scalar_type()), ", ", reduction.x.device().str());
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
    reason = disagreement(*kernels, reduction);
  } catch (const Error& error) {
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
  if (reduction.cost.kind != kernels::CostKind::dot) return {};
  const std::vector<double> values(reduction.centre.begin(), reduction.centre.end());
  if (!centre_.defined() || centre_.device() != reduction.x.device() || values != centre_values_) {
    centre_ = on_device(values, reduction.x.device());
    centre_values_ = values;
  }
  return centre_;
}

SoftWeights DeviceSoftMin::weights(const TensorReduction& reduction, const at::Tensor& b,
                                   Log& log) {
  const torch::NoGradGuard no_grad;
  const cuda::SoftMinKernels* kernels = nullptr;
  at::Tensor centre;
  {
    const std::lock_guard lock(mutex_);
    kernels = trusted_kernels(reduction, log);
    centre = centre_of(reduction);
  }
  return kernels == nullptr ? soft_min_weights_by_aten(reduction, b)
                            : by_kernels(*kernels, reduction, b, centre);
}

DeviceSoftMin& device_soft_min() {
  static DeviceSoftMin of_library(&soft_min_kernels_of_library);
  return of_library;
}

}  // namespace kantor::neural
