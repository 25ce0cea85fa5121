#pragma once

// A finished run of ProgOT: points of marginal 0 go through all its maps, and the potential is the
// last step's where they are by then; points of marginal 1 are averaged back by the last plan.

#include "solvers/fitted.hpp"
#include "solvers/progot/progot_model.hpp"
#include "solvers/stored_run.hpp"

namespace kantor::progot {

class FittedMaps final : public Fitted {
 public:
  /// @param pool must outlive it. @throws DataError: the model or an array is damaged or
  /// does not fit.
  FittedMaps(StoredRun run, const Problem& problem, ThreadPool& pool);

  std::int64_t num_dims(std::size_t /*marginal*/) const override { return pair_.d(); }
  bool has_map() const override { return true; }

 private:
  std::vector<double> potential_at(std::size_t marginal,
                                   std::span<const double> points) const override {
    return map_from(marginal, points, false).potential;
  }
  Evaluation map_from(std::size_t marginal, std::span<const double> points,
                      bool debiased) const override;

  StoredRun run_;
  Pair pair_;
  ThreadPool& pool_;
  Model model_;
};

}  // namespace kantor::progot
