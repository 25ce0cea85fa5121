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

/// With an absent point; costs of order 1.
struct CheckProblem {
  std::vector<double> centre;
  TensorReduction reduction;
  Wanted wanted;

  CheckProblem(const TensorReduction& like, std::int64_t rows, std::int64_t columns) {
    const auto numbers = [&](at::IntArrayRef shape, double frequency) {
      const std::int64_t count = c10::multiply_integers(shape);
      return (frequency * torch::arange(1, count + 1, torch::kFloat64)).sin().reshape(shape);
    };
    const at::TensorOptions options = like.g.options().dtype(like.type());
    const at::Device device = options.device();
    const std::int64_t d = dimensions_to_check(like);
    const double side = 1 / std::sqrt(static_cast<double>(d));
    centre.assign(static_cast<std::size_t>(d), side / 2);
    at::Tensor b = 2 + numbers({columns}, 1.1);
    b[3] = 0;
    reduction = {.cost = like.cost,
                 .centre = centre,
                 .x = (side * numbers({rows, d}, 1.7)).to(options),
                 .y = (side * numbers({columns, d}, 2.3)).to(options),
                 .log_b = (b / b.sum()).log().to(device),
                 .g = numbers({columns}, 0.7).to(device),
                 .epsilon = .25};
    wanted.row_weights = ((2 + numbers({rows}, 1.3)) / (2 * static_cast<double>(rows))).to(device);
    wanted.values = reduction.y;
    if (!like.has_given_costs()) return;
    reduction.sums = torch::zeros({rows, (columns + 3) / 4 * 4}, options);
    reduction.sums.narrow(1, 0, columns)
        .copy_(-in_double(reduction.x).mm(in_double(reduction.y).t()));
    reduction.x = reduction.y = at::Tensor();
  }

  static at::Tensor in_double(const at::Tensor& tensor) {
    return tensor.defined() ? tensor.to(torch::kFloat64) : tensor;
  }
  /// In double whatever the type of the points is: no setting of LibTorch or cuBLAS makes them
  /// round that to fewer bits.
  TensorSoftMin expected(const Wanted& of) const {
    TensorReduction exact = reduction;
    exact.x = in_double(reduction.x);
    exact.y = in_double(reduction.y);
    exact.sums = in_double(reduction.sums);
    Wanted wanted_of_it = of;
    wanted_of_it.values = in_double(of.values);
    return reduce_by_aten(exact, wanted_of_it);
  }
};

/// Costs are at most 4, a logit 16 of them: a few dozen roundings of that are far more than the
/// kernels err. Weights sum to about 1, and err by as much as the logits; averages are of order 1.
/// Sums of up to 1024 terms of the points' type may add as many half roundings.
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
  return concat("on ", mine.f.numel(), " x ", mine.columns.numel(),
                " points they differ from LibTorch's operations by ", values, " in the values, ",
                weights, " in the weights and ", averages, " in the averages (at most ", tolerance,
                " and ", 8 * tolerance, " expected)");
}

}  // namespace

std::int64_t dimensions_to_check(const TensorReduction& like) {
  return like.has_given_costs() ? 3 : std::min(like.x.size(1), kMostDimensions);
}

namespace {

/// Beyond one tile each way; every way from points to results.
std::string fault_of_each_way(const cuda::SoftMinKernels& kernels, const TensorReduction& like) {
  const CheckProblem problem(like, 70, 130);
  const TensorReduction& reduction = problem.reduction;
  const at::Tensor centre = centre_on_device(reduction);
  const TensorSoftMin theirs = problem.expected(problem.wanted);
  const auto fault_of = [&](const TensorReduction& way, const Cut& cut = {}) {
    return difference(reduce_by_kernels(kernels, way, centre, problem.wanted, cut), theirs,
                      like.type());
  };
  std::string reason = fault_of(reduction);
  if (!reason.empty()) return reason;
  constexpr Cut kFewRows = {.rows_at_once = 64};  // two times
  if (!like.has_given_costs()) {
    TensorReduction kept = reduction;
    kept.sums = room_for_sums(reduction, std::numeric_limits<double>::infinity());
    if (!kept.sums.defined()) return "the device has no memory left";
    kept.parts = room_for_parts(reduction, centre);
    keep(kernels, reduction, centre, kept.sums, kept.parts);
    reason = fault_of(kept, kFewRows);
    if (!reason.empty()) return reason;
  }
  reason = fault_of(reduction, kFewRows);
  if (!reason.empty()) return reason;
  const Wanted moved{.given_f = theirs.f + .1 * theirs.f.cos(),
                     .row_weights = problem.wanted.row_weights};
  return difference(reduce_by_kernels(kernels, reduction, centre, moved), problem.expected(moved),
                    like.type());
}

/// Several tiles for each block, more than stay in registers between two flushes; once of columns,
/// once of rows.
std::string fault_of_many_tiles(const cuda::SoftMinKernels& kernels, const TensorReduction& like) {
  constexpr std::int64_t kFew = 70, kMany = 2100;
  for (const auto& [rows, columns] : {std::pair{kFew, kMany}, {kMany, kFew}}) {
    const CheckProblem problem(like, rows, columns);
    const TensorReduction& reduction = problem.reduction;
    const TensorSoftMin mine = reduce_by_kernels(kernels, reduction, centre_on_device(reduction),
                                                 problem.wanted, {.enough_blocks = 4});
    const std::string reason = difference(mine, problem.expected(problem.wanted), like.type());
    if (!reason.empty()) return reason;
  }
  return "";
}

}  // namespace

std::string kernel_fault(const cuda::SoftMinKernels& kernels, const TensorReduction& like) {
  const std::string reason = fault_of_each_way(kernels, like);
  return reason.empty() ? fault_of_many_tiles(kernels, like) : reason;
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
