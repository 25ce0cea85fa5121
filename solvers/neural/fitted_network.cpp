#include "solvers/neural/fitted_network.hpp"

#include <torch/torch.h>

#include "runtime/core/error.hpp"

namespace kantor::neural {

FittedNetwork::FittedNetwork(StoredRun run, const Problem& problem, ThreadPool& pool)
    : FittedPairs(std::move(run), problem, pool),
      potential_(Potential::restore(stored().model, stored().tensors)) {
  if (potential_.d() == problem.d()) return;
  throw DataError(concat("the stored network takes points of dimension ", potential_.d(),
                         ", but the run's marginals have dimension ", problem.d()));
}

std::vector<double> FittedNetwork::potential_at(std::size_t marginal,
                                                std::span<const double> points) const {
  if (marginal != 0) return FittedPairs::potential_at(marginal, points);
  const torch::NoGradGuard no_grad;
  std::vector<double> taken = costed(points);
  const std::int64_t d = potential_.d();
  const at::Tensor x = torch::from_blob(
      taken.data(), {static_cast<std::int64_t>(taken.size()) / d, d}, torch::kFloat64);
  const at::Tensor f = potential_.forward(x).contiguous();
  return {f.data_ptr<double>(), f.data_ptr<double>() + f.numel()};
}

Evaluation FittedNetwork::map_from(std::size_t marginal, std::span<const double> points,
                                   bool debiased) const {
  Evaluation result = FittedPairs::map_from(marginal, points, debiased);
  if (marginal == 0) result.potential = potential_at(marginal, points);
  return result;
}

}  // namespace kantor::neural
