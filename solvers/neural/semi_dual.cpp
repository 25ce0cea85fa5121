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
                      Context& context)
    : pair_(pair),
      potential_(potential),
      context_(context),
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
LocalLoss SemiDual<T>::evaluate(const StepId& id) {
  if (group_batch_ == 0) return {.value = no_loss(), .count = 0};
  Profile& profile = context_.profile;
  const double num_slots = static_cast<double>(slots_.count());
  profile.timed(kData, [&] {
    x_.draw(id.step * global_batch_ + first_draw_, pair_.centre, context_.world);
    y_.draw(id.step * global_batch_ + first_draw_, pair_.centre, context_.world);
  });
  // Without mass there is nothing to learn from; the same on the ranks of the group.
  if (!(x_.has_mass() && y_.has_mass())) return {.value = no_loss(), .count = num_slots};
  x_.send();
  y_.send();
  const at::Tensor& x = x_.points();       // [B, D]
  const at::Tensor& y = y_.points();       // [B/P, D]
  const at::Tensor& a = x_.weights();      // [B]
  const at::Tensor b = y_.read_weights();  // [B/P]
  const auto own = [&](const at::Tensor& all) {
    return all.narrow(0, slots_.first, slots_.count());
  };

  // Potentials of this rank's x, then of the whole batch; the last ranks' slots are padded.
  const at::Tensor f =  // [B/P]
      profile.timed(kForward, [&] { return potential_.forward(own(x), tape_); });
  const at::Tensor all_f = profile.timed(kCommunication, [&] {  // [B]
    return all_gather(group_, padded(f, slots_.slots), "potentials").narrow(0, 0, group_batch_);
  });

  // The first reduction is compared with LibTorch's operations, which waits for the stream.
  if (std::exchange(is_first_, false)) context_.world.synchronize();

  // Soft minima at this rank's y, and the weight that the plan then puts on every x.
  const SoftWeights soft = profile.timed(kSoftMin, [&] {
    return soft_min_weights({.cost = pair_.cost.kernel,
                             .centre = pair_.centre,
                             .x = y,  // a row for each y
                             .y = x,
                             .log_b = a.log(),
                             .g = all_f.to(torch::kFloat64),
                             .epsilon = pair_.epsilon},
                            b, context_.pool, context_.log);
  });
  const at::Tensor own_weights = profile.timed(kCommunication, [&] {  // [B/P]
    return reduce_scatter(group_, padded(soft.weights, slots_.slots * group_.size()),
                          "column weights")
        .narrow(0, 0, slots_.count());
  });

  // d(-J)/df_i = column weight - a_i: no graph over B x B.
  const double share = static_cast<double>(group_batch_) / static_cast<double>(global_batch_);
  const at::Tensor own_a = own(a);
  if (slots_.count() > 0) {
    profile.timed(kBackward, [&] {
      potential_.backward(tape_, (share * (own_weights - own_a)).to(f.scalar_type()));
    });
  }
  const at::Tensor value = own_a.dot(f.to(torch::kFloat64)) + b.dot(soft.values);
  return {.value = -share * value, .count = num_slots};
}

template <class T>
std::string SemiDual<T>::remedy(std::size_t /*group*/) const {
  return "lower solver.neural.learning_rate, raise problem.epsilon, or use run.precision = "
         "\"float64\"";
}

template class SemiDual<float>;
template class SemiDual<double>;

}  // namespace kantor::neural
