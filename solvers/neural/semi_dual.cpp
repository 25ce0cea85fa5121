#include "solvers/neural/semi_dual.hpp"

#include <torch/torch.h>

#include <utility>

#include "distributed/tensor_verbs.hpp"
#include "solvers/neural/tensor_soft_min.hpp"

namespace kantor::neural {

namespace {

// Phases of the profile.
constexpr const char* kData = "data";
constexpr const char* kForward = "forward";
constexpr const char* kSoftMin = "soft_min";
constexpr const char* kBackward = "backward";

/// The ranks' parts of a global batch where each is a batch of its own.
Shard own_batch(const NeuralConfig& config, const Context& context) {
  return shard_of(config.batch, context.world.rank(), context.world.size());
}

/// [n] -> [length], zeros behind.
at::Tensor padded(const at::Tensor& values, std::int64_t length) {
  if (values.numel() == length) return values.contiguous();
  return torch::constant_pad_nd(values, {0, length - values.numel()});
}

}  // namespace

template <class T>
SemiDual<T>::SemiDual(const NeuralConfig& config, const Pair& pair, const Potential& potential,
                      Context& context, const PairLift* lift)
    : pair_(pair),
      potential_(potential),
      context_(context),
      lift_(lift),
      alone_(config.negatives == "local" ? make_self_communicator() : nullptr),
      group_(alone_ ? *alone_ : context.world),
      global_batch_(config.batch),
      first_draw_(alone_ ? own_batch(config, context).first : 0),
      group_batch_(alone_ ? own_batch(config, context).count() : global_batch_),
      slots_(shard_of(group_batch_, group_.rank(), group_.size())),
      x_(pair, 0, context.run.seed, group_batch_, 0, group_batch_, potential.device()),
      y_(pair, 1, context.run.seed, group_batch_, slots_.first, slots_.count(),
         potential.device()) {
  context_.profile.list({kData, kForward, kSoftMin, kBackward});
}

template <class T>
at::Tensor SemiDual<T>::no_loss() const {
  return torch::zeros({}, at::TensorOptions(torch::kFloat64).device(potential_.device()));
}

template <class T>
std::optional<typename SemiDual<T>::Drawn> SemiDual<T>::draw(const StepId& id) {
  if (group_batch_ == 0) return std::nullopt;
  Profile& profile = context_.profile;
  profile.timed(kData, [&] {
    x_.draw(id.step * global_batch_ + first_draw_, pair_.centre, context_.world);
    y_.draw(id.step * global_batch_ + first_draw_, pair_.centre, context_.world);
  });
  // Without mass there is nothing to learn from; the same on the ranks of the group.
  if (!(x_.has_mass() && y_.has_mass())) return std::nullopt;
  x_.send();
  y_.send();
  Drawn drawn{.x = x_.points(),
              .y = y_.points(),
              .a = x_.weights(),
              .b = y_.read_weights(),
              .f = {},
              .all_f = {}};
  // Potentials of this rank's x, then of the whole batch; the last ranks' slots are padded.
  drawn.f = profile.timed(kForward, [&] { return potential_.forward(own(drawn.x), tape_); });
  drawn.all_f = profile.timed(kCommunication, [&] {
    return all_gather(group_, padded(drawn.f, slots_.slots), "potentials")
        .narrow(0, 0, group_batch_);
  });
  // The first reduction is compared with LibTorch's operations, which waits for the stream.
  if (std::exchange(is_first_, false)) context_.world.synchronize();
  return drawn;
}

/// A row for each y.
template <class T>
TensorReduction SemiDual<T>::reduction_of(const Drawn& drawn) const {
  return {.cost = pair_.cost.kernel,
          .centre = pair_.centre,
          .x = lift_ == nullptr ? drawn.y : lift_->y(drawn.y),
          .y = lift_ == nullptr ? drawn.x : lift_->x(drawn.x),
          .log_b = drawn.a.log(),
          .g = drawn.all_f.to(torch::kFloat64),
          .epsilon = pair_.epsilon};
}

template <class T>
LocalLoss SemiDual<T>::evaluate(const StepId& id) {
  const double num_slots = static_cast<double>(slots_.count());
  const std::optional<Drawn> drawn = draw(id);
  if (!drawn) return {.value = no_loss(), .count = group_batch_ == 0 ? 0 : num_slots};
  Profile& profile = context_.profile;

  // Soft minima at this rank's y, and the weight that the plan then puts on every x.
  const SoftWeights soft = profile.timed(kSoftMin, [&] {
    return soft_min_weights(reduction_of(*drawn), drawn->b, context_.pool, context_.log);
  });
  const at::Tensor own_weights = profile.timed(kCommunication, [&] {  // [B/P]
    return reduce_scatter(group_, padded(soft.weights, slots_.slots * group_.size()),
                          "column weights")
        .narrow(0, 0, slots_.count());
  });

  // d(-J)/df_i = column weight - a_i: no graph over B x B.
  const at::Tensor own_a = own(drawn->a);
  if (slots_.count() > 0) {
    profile.timed(kBackward, [&] {
      potential_.backward(tape_, (share() * (own_weights - own_a)).to(drawn->f.scalar_type()));
    });
  }
  const at::Tensor value = own_a.dot(drawn->f.to(torch::kFloat64)) + drawn->b.dot(soft.values);
  return {.value = -share() * value, .count = num_slots};
}

template <class T>
std::optional<at::Tensor> SemiDual<T>::cross_moment(const StepId& id) {
  const std::optional<Drawn> drawn = draw(id);
  if (!drawn) return std::nullopt;
  const at::Tensor averages = context_.profile.timed(kSoftMin, [&] {  // [B/P, D_x] of x given y
    return soft_min_averages(reduction_of(*drawn), drawn->x, context_.pool, context_.log);
  });
  const at::Tensor weighted = averages * (share() * drawn->b).unsqueeze(1);
  return weighted.t().mm(drawn->y.to(torch::kFloat64));
}

template <class T>
std::string SemiDual<T>::remedy(std::size_t /*group*/) const {
  return "lower solver.neural.learning_rate, raise problem.epsilon, or use run.precision = "
         "\"float64\"";
}

template class SemiDual<float>;
template class SemiDual<double>;

}  // namespace kantor::neural
