#include "solvers/neural/semi_dual.hpp"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "runtime/core/error.hpp"
#include "runtime/kernels/soft_min.hpp"

namespace kantor::neural {

namespace {

std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }

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
at::Tensor SemiDual<T>::read(const data::Marginal& marginal,
                             std::span<const std::int64_t> rows) const {
  at::Tensor points =
      torch::empty({static_cast<std::int64_t>(rows.size()), problem_.d()},
                   torch::TensorOptions().dtype(torch::CppTypeToScalarType<T>::value));
  marginal.read<T>(rows, problem_.centre, points.data_ptr<T>());
  return points;
}

template <class T>
Objective::Share SemiDual<T>::evaluate(std::int64_t step) {
  if (group_batch_ == 0) return {};
  const Draw x = draw(x_sampler_, problem_.marginals[0], step);
  const Draw y = draw(y_sampler_, problem_.marginals[1], step);
  if (!(x.mass > 0 && y.mass > 0)) {  // nothing to learn from; the same on the ranks of the group
    return {.loss = 0, .count = static_cast<double>(slots_.count())};
  }
  const auto own = [&]<class V>(const std::vector<V>& all) {
    return std::span<const V>(all).subspan(index(slots_.first), index(slots_.count()));
  };

  // Potentials of this rank's x, then of the whole batch.
  const at::Tensor all_x = read(problem_.marginals[0], x.rows);  // [B, D]
  const at::Tensor f = potential_.forward(all_x.narrow(0, slots_.first, slots_.count()));
  std::vector<T> own_f(index(slots_.slots), T(0));  // [S], the last ranks padded
  const at::Tensor f_values = f.detach();
  std::copy_n(f_values.data_ptr<T>(), slots_.count(), own_f.begin());
  std::vector<T> all_f(own_f.size() * index(group_.size()));
  group_.all_gather<T>(own_f, all_f, "potentials");
  const std::vector<double> potentials(all_f.begin(),
                                       all_f.begin() + group_batch_);  // padding is at the end

  // Soft minima at this rank's y, and the weight that the plan then puts on every x.
  const at::Tensor own_y = read(problem_.marginals[1], own(y.rows));  // [B/P, D]
  std::vector<double> log_weights(x.weights.size());
  std::transform(x.weights.begin(), x.weights.end(), log_weights.begin(),
                 [](double weight) { return std::log(weight); });
  std::vector<double> soft(index(slots_.count()));
  std::vector<double> weights(index(slots_.slots * group_.size()), 0.0);  // [P S]
  if (slots_.count() > 0) {
    const auto cost = kernels::streamed_cost<T>(
        problem_.cost, {own_y.data_ptr<T>(), slots_.count(), problem_.d()},
        {all_x.data_ptr<T>(), group_batch_, problem_.d()}, problem_.centre);
    kernels::soft_min_weights<T>({*cost, log_weights, potentials, problem_.epsilon}, own(y.weights),
                                 context_.pool, soft,
                                 std::span(weights).first(index(group_batch_)));
  }
  std::vector<double> own_weights(index(slots_.slots));
  group_.reduce_scatter<double>(weights, own_weights, "column weights");

  // d(-J)/df_i = column weight - a_i: no graph over B x B.
  const double share = static_cast<double>(group_batch_) / static_cast<double>(global_batch_);
  at::Tensor cotangent = torch::empty_like(f_values);
  T* const slope = cotangent.data_ptr<T>();
  double value = 0;
  for (std::int64_t i = 0; i < slots_.count(); ++i) {
    const double a = own(x.weights)[index(i)];
    slope[i] = static_cast<T>(share * (own_weights[index(i)] - a));
    value += a * static_cast<double>(own_f[index(i)]) + own(y.weights)[index(i)] * soft[index(i)];
  }
  if (slots_.count() > 0) f.backward(cotangent);
  return {.loss = -share * value, .count = static_cast<double>(slots_.count())};
}

template class SemiDual<float>;
template class SemiDual<double>;

}  // namespace kantor::neural
