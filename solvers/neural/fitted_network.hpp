#pragma once

// A finished training: the network's potential at points of marginal 0.

#include "solvers/eot/fitted_pairs.hpp"
#include "solvers/neural/potential.hpp"

namespace kantor::neural {

class FittedNetwork final : public FittedPairs {
 public:
  /// @throws DataError: as FittedPairs; the model is damaged or of another dimension.
  FittedNetwork(StoredRun run, const Problem& problem, ThreadPool& pool);

 private:
  std::vector<double> potential_at(std::size_t marginal,
                                   std::span<const double> points) const override;
  Evaluation map_from(std::size_t marginal, std::span<const double> points,
                      bool debiased) const override;

  Potential potential_;
};

}  // namespace kantor::neural
