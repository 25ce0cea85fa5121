#include "solvers/egw/aligned_semi_dual.hpp"

#include <torch/torch.h>

#include <utility>

#include "runtime/core/index.hpp"

namespace kantor::egw {

namespace {

std::vector<double> no_alignment(const Spaces& spaces) {
  return std::vector<double>(spaces.size_of_alignment(), 0.0);
}

}  // namespace

AlignedLift::AlignedLift(const Spaces& spaces, at::Tensor alignment)
    : lifts_{spaces.lift(0, no_alignment(spaces), 0), spaces.lift(1, no_alignment(spaces), 0)},
      weight_(spaces.weight() * spaces.radius()),
      alignment_(std::move(alignment)) {}

at::Tensor AlignedLift::x(const at::Tensor& points) const { return lifted(points, 0); }
at::Tensor AlignedLift::y(const at::Tensor& points) const { return lifted(points, 1); }

at::Tensor AlignedLift::lifted(const at::Tensor& points, std::size_t k) const {
  const torch::NoGradGuard no_grad;
  const Lift& lift = lifts_[k];
  const std::int64_t d = std::ssize(lift.mean);
  const at::Tensor own = points.narrow(1, 0, d);
  std::vector<at::Tensor> parts;
  if (lift.norms != 0) {
    parts.push_back(lift.norms * (own.square().sum(1, /*keepdim=*/true) - lift.square));
  }
  if (lift.columns > 0) parts.push_back(k == 0 ? own.mm(weight_ * alignment_) : own);
  if (lift.features != 0) parts.push_back(lift.features * points.narrow(1, d, points.size(1) - d));
  return torch::cat(parts, 1);
}

template <class T>
AlignedSemiDual<T>::AlignedSemiDual(const neural::NeuralConfig& config, const Spaces& spaces,
                                    const Pair& points, const neural::Potential& potential,
                                    at::Tensor alignment, Context& context)
    : spaces_(spaces),
      context_(context),
      alignment_(std::move(alignment)),
      mean_moment_(torch::tensor(spaces.uncentred(no_alignment(spaces)), torch::kFloat64)
                       .view({spaces.d(0), spaces.d(1)})
                       .to(alignment_.device())),
      lift_(spaces, alignment_),
      semi_dual_(config, points, potential, context, &lift_) {}

template <class T>
LocalLoss AlignedSemiDual<T>::evaluate(const StepId& id) {
  if (id.group == kPotential) return semi_dual_.evaluate(id);
  const torch::NoGradGuard no_grad;
  const std::optional<at::Tensor> drawn = semi_dual_.cross_moment(id);
  const double share = 1.0 / context_.world.size();  // of what all ranks know
  if (!drawn) return {.value = torch::zeros({}, mean_moment_.options()), .count = share};
  const at::Tensor moment =
      drawn->narrow(0, 0, spaces_.d(0)).narrow(1, 0, spaces_.d(1)) + share * mean_moment_;
  const at::Tensor a = spaces_.radius() * alignment_.to(torch::kFloat64);
  const at::Tensor gradient = 2 * share * a - moment;  // over the weight
  alignment_.mutable_grad().add_((spaces_.radius() * gradient).to(alignment_.scalar_type()));
  return {.value = share * a.square().sum() - (a * moment).sum(), .count = share};
}

template <class T>
void AlignedSemiDual<T>::updated(const StepId& id) {
  if (id.group != kAlignment) return;
  const torch::NoGradGuard no_grad;
  alignment_.div_(alignment_.norm().clamp_min(1));
}

template <class T>
std::string AlignedSemiDual<T>::remedy(std::size_t group) const {
  return group == kAlignment ? "lower solver.egw.learning_rate" : semi_dual_.remedy(0);
}

template class AlignedSemiDual<float>;
template class AlignedSemiDual<double>;

}  // namespace kantor::egw
