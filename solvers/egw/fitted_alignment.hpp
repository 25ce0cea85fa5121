#pragma once

// A finished alignment, asked anew. Shapes: K new points; DX and DY coordinates of the two spaces.

#include "solvers/egw/spaces.hpp"
#include "solvers/fitted.hpp"
#include "solvers/stored_run.hpp"

namespace kantor::egw {

/// The potential is the c_A-transform of the other marginal's; the map is the barycentric
/// projection into the other space, E[y | x]. Of fused runs there is none: new points would need
/// features.
class FittedAlignment final : public Fitted {
 public:
  FittedAlignment(StoredRun run, const Problem& problem, ThreadPool& pool);

  std::int64_t num_dims(std::size_t marginal) const override;
  bool has_map() const override { return true; }

 private:
  std::vector<double> potential_at(std::size_t marginal,
                                   std::span<const double> points) const override;
  Evaluation map_from(std::size_t marginal, std::span<const double> points,
                      bool debiased) const override;
  /// A stored potential as the lifted problem has it. [n_k]
  std::vector<double> lifted_potential(std::size_t k) const;

  Spaces spaces_;
  double epsilon_;
  StoredRun run_;
  std::vector<double> alignment_ = {};
  ThreadPool& pool_;
};

}  // namespace kantor::egw
