#include "solvers/neural/marginal_batch.hpp"

#include <torch/torch.h>

#include <algorithm>

#include "runtime/core/index.hpp"

namespace kantor::neural {

random::Sampler training_sampler(const Pair& pair, std::size_t marginal, std::int64_t seed) {
  const data::Marginal& rows = pair.cloud(marginal).marginal;
  const auto num_heldout =
      static_cast<std::int64_t>(rows.holdout() * static_cast<double>(rows.n()));
  return {rows.n(), num_heldout, static_cast<std::uint64_t>(seed),
          static_cast<std::uint32_t>(marginal)};
}

template <class T>
MarginalBatch<T>::MarginalBatch(const Pair& pair, std::size_t marginal, std::int64_t seed,
                                std::int64_t size, std::int64_t first, std::int64_t count,
                                const at::Device& device)
    : marginal_(pair.cloud(marginal).marginal),
      sampler_(training_sampler(pair, marginal, seed)),
      first_drawn_(marginal_.is_weighted() ? 0 : first),
      first_read_(first - first_drawn_),
      num_read_(count),
      rows_(index(marginal_.is_weighted() ? size : count)),
      staged_weights_({marginal_.is_weighted() ? size : 0}, torch::kFloat64, device),
      staged_points_({count, marginal_.d()}, torch::CppTypeToScalarType<T>::value, device),
      weights_(torch::full({std::ssize(rows_)},
                           1 / static_cast<double>(std::max(size, std::int64_t{1})),
                           at::TensorOptions(torch::kFloat64).device(device))) {}

template <class T>
void MarginalBatch<T>::draw(std::int64_t first_draw, std::span<const double> centre,
                            Communicator& world) {
  sampler_.rows(first_draw + first_drawn_, rows_);
  const auto own = std::span(rows_).subspan(index(first_read_), index(num_read_));
  marginal_.read<T>(own, centre, staged_points_.host(world).template data_ptr<T>());
  if (!marginal_.is_weighted()) return;
  const at::Tensor drawn = staged_weights_.host(world);
  const std::span<double> chosen(drawn.data_ptr<double>(), rows_.size());
  double mass = 0;
  for (std::size_t i = 0; i < rows_.size(); ++i) mass += chosen[i] = marginal_.weight(rows_[i]);
  has_mass_ = mass > 0;
  // Self-normalised: the batch is a pair of probability measures, and the loss keeps its gauge
  // invariance.
  for (double& weight : chosen) weight /= mass;
}

template <class T>
void MarginalBatch<T>::send() {
  points_ = staged_points_.send();
  if (marginal_.is_weighted()) weights_ = staged_weights_.send();
}

template class MarginalBatch<float>;
template class MarginalBatch<double>;

}  // namespace kantor::neural
