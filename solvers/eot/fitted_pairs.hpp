#pragma once

// A finished run that has left a potential at the points of each marginal.
// Shapes: K new points, D dimensions, n_k points of marginal k.

#include "solvers/eot/pair.hpp"
#include "solvers/fitted.hpp"
#include "solvers/stored_run.hpp"

namespace kantor {

/// The potential is the c-transform of the other marginal's stored potential (times rho / (rho +
/// epsilon) for a penalised one); the map averages over the other marginal (Pooladian & Niles-Weed
/// 2021). With a self-potential of this marginal it is debiased:
/// x - grad h*( grad f(x) - grad f_self(x) ).
class FittedPairs : public Fitted {
 public:
  /// @param pool must outlive it. @throws DataError: a potential is missing or of another
  /// length.
  FittedPairs(StoredRun run, const Problem& problem, ThreadPool& pool);

  std::int64_t num_dims(std::size_t marginal) const override;
  bool has_map() const override;

 protected:
  std::vector<double> potential_at(std::size_t marginal,
                                   std::span<const double> points) const override;
  Evaluation map_from(std::size_t marginal, std::span<const double> points,
                      bool debiased) const override;
  /// As costs take them: for cosine, their directions. @throws DataError for a point of length 0.
  std::vector<double> costed(std::span<const double> points) const;
  const StoredRun& stored() const { return run_; }

 private:
  /// [n_k] of the given marginal. @throws UsageError: the run has none.
  std::span<const double> self_potential(std::size_t marginal) const;
  /// Minus the centre. @param points as costed() gives them.
  std::vector<double> centred(std::vector<double> points) const;
  void damp(std::size_t marginal, std::vector<double>& potential) const;

  StoredRun run_;
  Pair pair_;
  ThreadPool& pool_;
};

}  // namespace kantor
