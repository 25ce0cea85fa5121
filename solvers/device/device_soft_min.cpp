#include "solvers/device/device_soft_min.hpp"

#include <c10/core/DeviceGuard.h>
#include <torch/torch.h>

#include <algorithm>
#include <cmath>

#include "distributed/device.hpp"
#include "distributed/nccl/cuda_kernels.hpp"
#include "runtime/core/error.hpp"
#include "runtime/kernels/cuda/pair_cost.hpp"

namespace kantor {

namespace {

cuda::DevicePoints points(const at::Tensor& tensor) {
  return {tensor.const_data_ptr(), tensor.size(0), tensor.size(1)};
}

const double* doubles(const at::Tensor& tensor) {
  return tensor.defined() ? tensor.const_data_ptr<double>() : nullptr;
}

at::Tensor packed(const at::Tensor& tensor) {
  return tensor.defined() ? tensor.contiguous() : tensor;
}

/// A call and the tensors that it points into.
struct TensorCall {
  TensorReduction reduction;
  at::Tensor centre;
  cuda::SoftMinCall call;

  TensorCall(const TensorReduction& given, const at::Tensor& centre_)
      : reduction(given), centre(centre_) {
    reduction.x = packed(given.x);
    reduction.y = packed(given.y);
    reduction.log_b = packed(given.log_b);
    reduction.g = packed(given.g);
    call.is_double = given.type() == at::kDouble;
    if (given.has_given_costs()) {
      call.cost = cuda::given_costs();
      call.x.count = given.n();
      call.y.count = given.m();
    } else {
      call.cost = cuda::pair_cost(given.cost);
      call.d = given.x.size(1);
      call.x = points(reduction.x);
      call.y = points(reduction.y);
      call.centre = doubles(centre);
    }
    call.log_b = doubles(reduction.log_b);
    call.g = doubles(reduction.g);
    call.epsilon = given.epsilon;
    if (!given.sums.defined()) return;
    call.sums = given.sums.const_data_ptr();
    call.sums_stride = given.sums.size(1);
  }

  /// @throws NumericError. The stream keeps what was allocated here: memory is reused in its order.
  void enqueue(const cuda::SoftMinKernels& table) const {
    const at::Tensor& g = reduction.g;
    const at::Tensor scratch = torch::empty({static_cast<std::int64_t>(table.scratch_bytes(call))},
                                            g.options().dtype(torch::kUInt8));
    const char* problem = table.enqueue(call, scratch.data_ptr(), current_stream(g.device()));
    if (problem == nullptr) return;
    throw NumericError(concat("soft-min kernels on ", g.device().str(), ", ", reduction.n(), " x ",
                              reduction.m(), " points of ", call.d, " dimensions: ", problem));
  }
};

TensorSoftMin by_kernels(const cuda::SoftMinKernels& table, const TensorReduction& reduction,
                         const at::Tensor& centre, const Wanted& wanted) {
  const c10::DeviceGuard guard(reduction.g.device());
  TensorCall task(reduction, centre);
  const at::Tensor given_f = packed(wanted.given_f);
  const at::Tensor row_weights = packed(wanted.row_weights);
  const at::Tensor values = packed(wanted.values);
  const at::TensorOptions options = reduction.g.options();
  TensorSoftMin result;
  result.f = given_f.defined() ? given_f : torch::empty({reduction.n()}, options);
  if (row_weights.defined()) result.columns = torch::empty({reduction.m()}, options);
  if (values.defined()) result.averages = torch::empty({reduction.n(), values.size(1)}, options);
  cuda::SoftMinCall& call = task.call;
  call.given_f = doubles(given_f);
  if (!given_f.defined()) call.f = result.f.data_ptr<double>();
  call.row_weights = doubles(row_weights);
  if (row_weights.defined()) call.column_weights = result.columns.data_ptr<double>();
  if (values.defined()) {
    call.values = values.const_data_ptr();
    call.num_values = values.size(1);
    call.averages = result.averages.data_ptr<double>();
  }
  task.enqueue(table);
  return result;
}

/// [N, M rounded up], uninitialised; undefined where it, and some room beside it, cannot be had.
at::Tensor room_for_sums(const TensorReduction& reduction, double most_bytes) {
  constexpr std::int64_t kRoomBeside = 64 << 20;
  const std::int64_t stride = (reduction.m() + 3) / 4 * 4;
  const double bytes = static_cast<double>(reduction.n()) * static_cast<double>(stride) *
                       static_cast<double>(reduction.x.element_size());
  if (bytes > most_bytes) return {};
  try {
    const at::Tensor sums = torch::empty({reduction.n(), stride}, reduction.x.options());
    static_cast<void>(torch::empty({kRoomBeside}, reduction.x.options().dtype(torch::kUInt8)));
    return sums;
  } catch (const c10::OutOfMemoryError&) {
    return {};
  }
}

void keep_sums(const cuda::SoftMinKernels& table, const TensorReduction& reduction,
               const at::Tensor& centre, const at::Tensor& sums) {
  const c10::DeviceGuard guard(reduction.g.device());
  TensorCall task(reduction, centre);
  task.call.kept_sums = sums.data_ptr();
  task.call.sums_stride = sums.size(1);
  task.enqueue(table);
}

at::Tensor on_device(std::span<const double> values, const at::Device& device) {
  return torch::tensor(at::ArrayRef<double>(values.data(), values.size()), torch::kFloat64)
      .to(device);
}

/// A problem beyond one tile each way, with an absent point; costs of order 1.
struct SmallProblem {
  static constexpr std::int64_t kRows = 70, kColumns = 130;
  std::vector<double> centre;
  TensorReduction reduction;
  Wanted wanted;

  explicit SmallProblem(const TensorReduction& like) {
    const auto numbers = [&](at::IntArrayRef shape, double frequency) {
      const std::int64_t count = c10::multiply_integers(shape);
      return (frequency * torch::arange(1, count + 1, torch::kFloat64)).sin().reshape(shape);
    };
    const at::TensorOptions options = like.g.options().dtype(like.type());
    const at::Device device = options.device();
    const std::int64_t d = like.has_given_costs() ? 3 : std::min<std::int64_t>(like.x.size(1), 70);
    const double side = 1 / std::sqrt(static_cast<double>(d));
    centre.assign(static_cast<std::size_t>(d), side / 2);
    at::Tensor b = 2 + numbers({kColumns}, 1.1);
    b[3] = 0;
    reduction = {.cost = like.cost,
                 .centre = centre,
                 .x = (side * numbers({kRows, d}, 1.7)).to(options),
                 .y = (side * numbers({kColumns, d}, 2.3)).to(options),
                 .log_b = (b / b.sum()).log().to(device),
                 .g = numbers({kColumns}, 0.7).to(device),
                 .epsilon = .25};
    wanted.row_weights = ((2 + numbers({kRows}, 1.3)) / (2 * kRows)).to(device);
    wanted.values = reduction.y;
    if (!like.has_given_costs()) return;
    reduction.sums = torch::zeros({kRows, (kColumns + 3) / 4 * 4}, options);
    reduction.sums.narrow(1, 0, kColumns).copy_(reduction.x.mm(reduction.y.t()));
    reduction.x = reduction.y = at::Tensor();
  }
};

/// Costs are at most 4, a logit 16 of them: a few dozen roundings of that are far more than either
/// side errs. Weights sum to about 1, and err by as much as the logits; averages are of order 1.
std::string difference(const TensorSoftMin& mine, const TensorSoftMin& theirs,
                       at::ScalarType type) {
  const double tolerance = 256 * (type == at::kFloat ? std::numeric_limits<float>::epsilon()
                                                     : std::numeric_limits<double>::epsilon());
  const double values = (mine.f - theirs.f).abs().max().item<double>();
  const double weights = (mine.columns - theirs.columns).abs().sum().item<double>();
  const double averages =
      theirs.averages.defined() ? (mine.averages - theirs.averages).abs().max().item<double>() : 0;
  if (values <= tolerance && weights <= 8 * tolerance && averages <= 8 * tolerance) {
    return "";  // not for NaN
  }
  return concat("on a small problem they differ from LibTorch's operations by ", values,
                " in the values, ", weights, " in the weights and ", averages,
                " in the averages (at most ", tolerance, " and ", 8 * tolerance, " expected)");
}

/// Why the kernels must not be used, or "".
std::string disagreement(const cuda::SoftMinKernels& kernels, const TensorReduction& like) {
  const SmallProblem small(like);
  const TensorReduction& reduction = small.reduction;
  const at::Tensor centre = reduction.cost.kind == kernels::CostKind::dot
                                ? on_device(small.centre, like.g.device())
                                : at::Tensor();
  const TensorSoftMin theirs = reduce_by_aten(reduction, small.wanted);
  std::string reason =
      difference(by_kernels(kernels, reduction, centre, small.wanted), theirs, like.type());
  if (!reason.empty()) return reason;
  if (!like.has_given_costs()) {
    TensorReduction kept = reduction;
    kept.sums = room_for_sums(reduction, std::numeric_limits<double>::infinity());
    if (!kept.sums.defined()) return "the device has no memory left";
    keep_sums(kernels, reduction, centre, kept.sums);
    reason = difference(by_kernels(kernels, kept, centre, small.wanted), theirs, like.type());
    if (!reason.empty()) return reason;
  }
  const Wanted moved{.given_f = theirs.f + .1 * theirs.f.cos(),
                     .row_weights = small.wanted.row_weights};
  return difference(by_kernels(kernels, reduction, centre, moved), reduce_by_aten(reduction, moved),
                    like.type());
}

std::string description(const TensorReduction& reduction) {
  return concat(reduction.has_given_costs() ? std::string("given costs")
                                            : concat("cost ", static_cast<int>(reduction.cost.kind),
                                                     ", p ", reduction.cost.p),
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
  if (reduction.has_given_costs() || reduction.cost.kind != kernels::CostKind::dot ||
      reduction.centre.empty()) {
    return {};
  }
  const at::Device device = reduction.g.device();
  if (!centre_.defined() || centre_.device() != device ||
      !std::equal(centre_values_.begin(), centre_values_.end(), reduction.centre.begin(),
                  reduction.centre.end())) {
    centre_ = on_device(reduction.centre, device);
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
                            : by_kernels(*kernels, reduction, centre, wanted);
}

at::Tensor DeviceSoftMin::sums_of(const TensorReduction& reduction, Log& log) {
  const torch::NoGradGuard no_grad;
  const auto [kernels, centre] = prepare(reduction, log);
  if (kernels == nullptr) return {};
  const at::Tensor sums = room_for_sums(reduction, most_sums_bytes_);
  if (sums.defined()) keep_sums(*kernels, reduction, centre, sums);
  return sums;
}

DeviceSoftMin& device_soft_min() {
  static DeviceSoftMin of_library(&soft_min_kernels_of_library);
  return of_library;
}

}  // namespace kantor
