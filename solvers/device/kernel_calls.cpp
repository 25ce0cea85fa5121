#include "solvers/device/kernel_calls.hpp"

#include <c10/core/DeviceGuard.h>
#include <torch/torch.h>

#include "distributed/device.hpp"
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
    call.parts = doubles(given.parts);
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

}  // namespace

at::Tensor centre_on_device(const TensorReduction& reduction) {
  if (reduction.has_given_costs() || reduction.cost.kind != kernels::CostKind::dot ||
      reduction.centre.empty()) {
    return {};
  }
  const at::ArrayRef<double> values(reduction.centre.data(), reduction.centre.size());
  return torch::tensor(values, torch::kFloat64).to(reduction.g.device());
}

TensorSoftMin reduce_by_kernels(const cuda::SoftMinKernels& kernels,
                                const TensorReduction& reduction, const at::Tensor& centre,
                                const Wanted& wanted, const Cut& cut) {
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
  call.rows_at_once = cut.rows_at_once;
  call.enough_blocks = cut.enough_blocks;
  call.given_f = doubles(given_f);
  if (!given_f.defined()) call.f = result.f.data_ptr<double>();
  call.row_weights = doubles(row_weights);
  if (row_weights.defined()) call.column_weights = result.columns.data_ptr<double>();
  if (values.defined()) {
    call.values = values.const_data_ptr();
    call.num_values = values.size(1);
    call.averages = result.averages.data_ptr<double>();
  }
  task.enqueue(kernels);
  return result;
}

at::Tensor room_for_sums(const TensorReduction& reduction, double most_bytes) {
  // What a call takes, and averages and values of all points in double.
  const std::int64_t room_beside = (128 << 20) + 16 * (reduction.x.numel() + reduction.y.numel());
  const std::int64_t stride = (reduction.m() + 3) / 4 * 4;
  const double bytes = static_cast<double>(reduction.n()) * static_cast<double>(stride) *
                       static_cast<double>(reduction.x.element_size());
  if (bytes > most_bytes) return {};
  try {
    const at::Tensor sums = torch::empty({reduction.n(), stride}, reduction.x.options());
    static_cast<void>(torch::empty({room_beside}, reduction.x.options().dtype(torch::kUInt8)));
    return sums;
  } catch (const c10::OutOfMemoryError&) {
    return {};
  }
}

at::Tensor room_for_parts(const TensorReduction& reduction, const at::Tensor& centre) {
  if (!cuda::has_parts(TensorCall(reduction, centre).call)) return {};
  return torch::empty({reduction.n() + reduction.m()}, reduction.g.options());
}

void keep(const cuda::SoftMinKernels& kernels, const TensorReduction& reduction,
          const at::Tensor& centre, const at::Tensor& sums, const at::Tensor& parts) {
  const c10::DeviceGuard guard(reduction.g.device());
  TensorCall task(reduction, centre);
  if (parts.defined()) task.call.kept_parts = parts.data_ptr<double>();
  if (sums.defined()) {
    task.call.kept_sums = sums.data_ptr();
    task.call.sums_stride = sums.size(1);
  }
  task.enqueue(kernels);
}

}  // namespace kantor
