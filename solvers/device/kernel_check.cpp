#include "solvers/device/kernel_check.hpp"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "distributed/device.hpp"
#include "distributed/nccl/cuda_kernels.hpp"
#include "runtime/core/error.hpp"
#include "solvers/device/gpu_check.hpp"
#include "solvers/device/kernel_calls.hpp"

namespace kantor {

namespace {

constexpr std::int64_t kMostDimensions = 70;  // more than a tile keeps of its points

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
    const std::int64_t d = dimensions_to_check(like);
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

}  // namespace

std::int64_t dimensions_to_check(const TensorReduction& like) {
  return like.has_given_costs() ? 3 : std::min(like.x.size(1), kMostDimensions);
}

std::string kernel_fault(const cuda::SoftMinKernels& kernels, const TensorReduction& like) {
  const SmallProblem small(like);
  const TensorReduction& reduction = small.reduction;
  const at::Tensor centre = centre_on_device(reduction);
  const TensorSoftMin theirs = reduce_by_aten(reduction, small.wanted);
  std::string reason =
      difference(reduce_by_kernels(kernels, reduction, centre, small.wanted), theirs, like.type());
  if (!reason.empty()) return reason;
  if (!like.has_given_costs()) {
    TensorReduction kept = reduction;
    kept.sums = room_for_sums(reduction, std::numeric_limits<double>::infinity());
    if (!kept.sums.defined()) return "the device has no memory left";
    keep_sums(kernels, reduction, centre, kept.sums);
    reason =
        difference(reduce_by_kernels(kernels, kept, centre, small.wanted), theirs, like.type());
    if (!reason.empty()) return reason;
    constexpr std::int64_t kRowsAtOnce = 64;  // kept in scratch memory, two times
    reason = difference(reduce_by_kernels(kernels, reduction, centre, small.wanted, kRowsAtOnce),
                        theirs, like.type());
    if (!reason.empty()) return reason;
  }
  const Wanted moved{.given_f = theirs.f + .1 * theirs.f.cos(),
                     .row_weights = small.wanted.row_weights};
  return difference(reduce_by_kernels(kernels, reduction, centre, moved),
                    reduce_by_aten(reduction, moved), like.type());
}

std::vector<std::string> kernel_faults(const cuda::SoftMinKernels& kernels,
                                       const at::Device& device) {
  using kernels::CostKind;
  std::vector<std::string> faults;
  for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
    TensorReduction like{.cost = {},
                         .centre = {},
                         .x = {},
                         .y = {},
                         .log_b = {},
                         .g = torch::zeros({1}, at::TensorOptions(device).dtype(at::kDouble))};
    const auto judge = [&](const std::string& name) {
      const std::string fault = kernel_fault(kernels, like);
      if (!fault.empty()) faults.push_back(concat(name, ", ", c10::toString(type), ": ", fault));
    };
    for (const std::int64_t d : {std::int64_t{3}, kMostDimensions}) {
      like.x = like.y = torch::zeros({1, d}, at::TensorOptions(device).dtype(type));
      for (const CostKind kind : {CostKind::sqeuclidean, CostKind::half_sqeuclidean, CostKind::dot,
                                  CostKind::euclidean, CostKind::pnorm}) {
        like.cost = {kind, kind == CostKind::pnorm ? 1.5 : 2};
        judge(concat("cost ", static_cast<int>(kind), ", d ", d));
      }
    }
    like.sums = std::exchange(like.x, {});
    judge("given costs");
  }
  return faults;
}

std::vector<std::string> gpu_kernel_faults(const Communicator& world) {
  RunConfig run;
  run.device = "cuda";
  const at::Device device = device_of(run, world);
  return kernel_faults(soft_min_kernels_of_library(), device);
}

}  // namespace kantor
