#include "solvers/device/tensor_reduction.hpp"

#include <torch/torch.h>

#include <algorithm>
#include <limits>

namespace kantor {

namespace {

using kernels::CostKind;

/// C [R, M] of the rows that begin at `first`. Points are centred, so little cancels in the
/// expanded squares.
at::Tensor costs(const TensorReduction& reduction, std::int64_t first, std::int64_t count) {
  if (reduction.has_given_costs()) {
    return reduction.sums.narrow(0, first, count).narrow(1, 0, reduction.m());
  }
  const at::Tensor x = reduction.x.narrow(0, first, count);
  const at::Tensor& y = reduction.y;
  const auto square = [&] {
    return (x.square().sum(1, true) + y.square().sum(1) - 2 * x.mm(y.t())).clamp_min(0);
  };
  switch (reduction.cost.kind) {
    case CostKind::sqeuclidean:
      return square();
    case CostKind::half_sqeuclidean:
      return square() / 2;
    case CostKind::euclidean:
      return torch::cdist(x, y);
    case CostKind::pnorm:
      return torch::cdist(x, y, reduction.cost.p).pow(reduction.cost.p) / reduction.cost.p;
    case CostKind::dot:
      break;
  }
  if (reduction.centre.empty()) return -x.mm(y.t());
  const at::Tensor centre =
      torch::from_blob(const_cast<double*>(reduction.centre.data()),
                       {static_cast<std::int64_t>(reduction.centre.size())}, torch::kFloat64)
          .to(x.options());
  return -(x + centre).mm((y + centre).t());
}

}  // namespace

TensorSoftMin reduce_by_aten(const TensorReduction& reduction, const Wanted& wanted) {
  constexpr std::int64_t kPairs = 1 << 22;  // of a block, several times in double
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const torch::NoGradGuard no_grad;
  const double epsilon = reduction.epsilon;
  const std::int64_t n = reduction.n();
  const std::int64_t rows =
      std::clamp<std::int64_t>(kPairs / std::max<std::int64_t>(reduction.m(), 1), 1, 1024);
  const at::TensorOptions doubles = reduction.g.options();
  const at::Tensor bias =  // [M]; an absent point is absent whatever its potential is
      torch::where(reduction.log_b == -kInfinity, reduction.log_b,
                   reduction.log_b + reduction.g / epsilon);
  const bool is_given = wanted.given_f.defined();
  TensorSoftMin result;
  result.f = is_given ? wanted.given_f : torch::empty({n}, doubles);
  if (wanted.row_weights.defined()) result.columns = torch::zeros({reduction.m()}, doubles);
  if (wanted.values.defined()) result.averages = torch::empty({n, wanted.values.size(1)}, doubles);
  for (std::int64_t first = 0; first < n; first += rows) {
    const std::int64_t count = std::min(rows, n - first);
    const at::Tensor c = costs(reduction, first, count);
    const at::Tensor logits = bias - c.to(torch::kFloat64) / epsilon;  // [R, M]
    at::Tensor f = result.f.narrow(0, first, count);
    if (!is_given) f.copy_(-epsilon * logits.logsumexp(1));
    if (!result.columns.defined() && !result.averages.defined()) continue;
    const at::Tensor exponents = (logits + (f / epsilon).unsqueeze(1))
                                     .masked_fill((f == kInfinity).unsqueeze(1), -kInfinity);
    if (result.averages.defined()) {
      result.averages.narrow(0, first, count)
          .copy_(exponents.exp().mm(wanted.values.to(torch::kFloat64)));
    }
    if (!result.columns.defined()) continue;
    const at::Tensor weights = wanted.row_weights.narrow(0, first, count);
    result.columns +=
        weights.matmul(exponents.masked_fill((weights == 0).unsqueeze(1), -kInfinity).exp());
  }
  return result;
}

}  // namespace kantor
