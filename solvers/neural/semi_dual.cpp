#include "solvers/neural/semi_dual.hpp"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "distributed/tensor_verbs.hpp"
#include "runtime/core/error.hpp"
#include "solvers/neural/tensor_soft_min.hpp"

namespace kantor::neural {

namespace {

std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }

/// [n] -> [length], zeros behind.
at::Tensor padded(const at::Tensor& values, std::int64_t length) {
  if (values.numel() == length) return values.contiguous();
  return torch::constant_pad_nd(values, {0, length - values.numel()});
}

}  // namespace

random::Sampler training_sampler(const Problem& problem, std::size_t marginal, std::int64_t seed) {
  const data::Marginal& rows = problem.marginals[marginal];
  const auto num_heldout =
      static_cast<std::int64_t>(rows.holdout() * static_cast<double>(rows.n()));
  return {rows.n(), num_heldout, static_cast<std::uint64_t>(seed),
          static_cast<std::uint32_t>(marginal)};
}

template <class T>
SemiDual<T>::SemiDual(const NeuralConfig& config, const Problem& problem,
                      const Potential& potential, Context& context)
    : problem_(problem),
      potential_(potential),
      context_(context),
      alone_(config.negatives == "local" ? make_self_communicator() : nullptr),
      group_(alone_ ? *alone_ : context.world),
      global_batch_(config.batch),
      x_sampler_(training_sampler(problem, 0, context.run.seed)),
      y_sampler_(training_sampler(problem, 1, context.run.seed)) {
  const Shard own = shard_of(global_batch_, context.world.rank(), context.world.size());
  first_draw_ = alone_ ? own.first : 0;
  group_batch_ = alone_ ? own.count() : global_batch_;
  slots_ = shard_of(group_batch_, group_.rank(), group_.size());
}

template <class T>
typename SemiDual<T>::Draw SemiDual<T>::draw(random::Sampler& sampler,
                                             const data::Marginal& marginal,
                                             std::int64_t step) const {
  Draw result;
  for (std::int64_t i = 0; i < group_batch_; ++i) {
    result.rows.push_back(sampler.row(step * global_batch_ + first_draw_ + i));
    result.weights.push_back(marginal.weight(result.rows.back()));
    result.mass += result.weights.back();
  }
  // Self-normalised: the batch is a pair of probability measures, and the loss keeps its gauge
  // invariance.
  for (double& weight : result.weights) weight /= result.mass;
  return result;
}

template <class T>
at::Tensor SemiDual<T>::weights_of(const Draw& draw, const at::Device& device) {
  const auto size = static_cast<std::int64_t>(draw.weights.size());
  return torch::from_blob(const_cast<double*>(draw.weights.data()), {size}, torch::kFloat64)
      .to(device);
}

template <class T>
at::Tensor SemiDual<T>::read(const data::Marginal& marginal,
                             std::span<const std::int64_t> rows) const {
  at::Tensor points =
      torch::empty({static_cast<std::int64_t>(rows.size()), problem_.d()},
                   torch::TensorOptions().dtype(torch::CppTypeToScalarType<T>::value));
  marginal.read<T>(rows, problem_.centre, points.data_ptr<T>());
  return points.to(potential_.device());
}

template <class T>
Objective::Share SemiDual<T>::evaluate(std::int64_t step) {
  if (group_batch_ == 0) return {};
  const Draw x = draw(x_sampler_, problem_.marginals[0], step);
  const Draw y = draw(y_sampler_, problem_.marginals[1], step);
  if (!(x.mass > 0 && y.mass > 0)) {  // nothing to learn from; the same on the ranks of the group
    return {.loss = 0, .count = static_cast<double>(slots_.count())};
  }
  const auto own = [&](const at::Tensor& all) {
    return all.narrow(0, slots_.first, slots_.count());
  };
  const at::Tensor a = weights_of(x, potential_.device());       // [B]
  const at::Tensor b = own(weights_of(y, potential_.device()));  // [B/P]

  // Potentials of this rank's x, then of the whole batch; the last ranks' slots are padded.
  const at::Tensor all_x = read(problem_.marginals[0], x.rows);  // [B, D]
  const at::Tensor f = potential_.forward(own(all_x));           // [B/P]
  const at::Tensor own_f = f.detach();
  const at::Tensor all_f =
      all_gather(group_, padded(own_f, slots_.slots), "potentials").narrow(0, 0, group_batch_);

  // Soft minima at this rank's y, and the weight that the plan then puts on every x.
  const std::span<const std::int64_t> own_rows =
      std::span(y.rows).subspan(index(slots_.first), index(slots_.count()));
  const SoftWeights soft = soft_min_weights({.cost = problem_.cost,
                                             .centre = problem_.centre,
                                             .y = read(problem_.marginals[1], own_rows),
                                             .x = all_x,
                                             .log_a = a.log(),
                                             .f = all_f.to(torch::kFloat64),
                                             .epsilon = problem_.epsilon},
                                            b, context_.pool);
  const at::Tensor own_weights =
      reduce_scatter(group_, padded(soft.weights, slots_.slots * group_.size()), "column weights")
          .narrow(0, 0, slots_.count());  // [B/P]

  // d(-J)/df_i = column weight - a_i: no graph over B x B.
  const double share = static_cast<double>(group_batch_) / static_cast<double>(global_batch_);
  const at::Tensor own_a = own(a);
  if (slots_.count() > 0) f.backward((share * (own_weights - own_a)).to(f.scalar_type()));
  const at::Tensor value = own_a.dot(own_f.to(torch::kFloat64)) + b.dot(soft.values);
  return {.loss = -share * value.item<double>(), .count = static_cast<double>(slots_.count())};
}

template class SemiDual<float>;
template class SemiDual<double>;

}  // namespace kantor::neural
