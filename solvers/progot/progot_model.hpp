#pragma once

// What a run leaves to transport unseen points by: K maps, one per solve.
// Shapes: K solves, N points x, M points y, Q new points, D dimensions.

#include <string>
#include <vector>

#include "runtime/record/record.hpp"
#include "solvers/eot/pair.hpp"
#include "solvers/fitted.hpp"
#include "solvers/progot/solved_steps.hpp"
#include "solvers/result.hpp"

namespace kantor::progot {

/// Potentials, epsilons and step lengths; points, weights and cost are the problem's own.
struct Model {
  std::vector<double> epsilons;  ///< [K]
  std::vector<double> alphas;    ///< [K]
  std::vector<double> g;         ///< [K, M]
  std::vector<double> f_self;    ///< [K, N], debiased only
  std::int64_t n = 0;
  std::int64_t m = 0;
  std::string cost;

  /// For model.safetensors and model.json.
  std::vector<data::NamedTensor> tensors() const;
  Record description() const;
};

Model model_of(const Pair& pair, const SolvedSteps& course);

/// @throws DataError if it is damaged or does not fit the problem.
Model restore_model(const Record& description, const std::vector<data::NamedTensor>& tensors,
                    const Pair& pair);

/// Moves points of marginal 0 as the solves moved their source. In double, all points on this rank:
/// K passes of Q x M pairs (debiased: of Q x N and N x (M + N) as well).
/// @param points [Q, D].
/// @return where the last map takes them, and the last step's f, where they are by then.
Evaluation transport(const Model& model, const Pair& pair, std::vector<double> points,
                     ThreadPool& pool);

/// The same for points of marginal 1 against the plan of the last solve: the last step's g, and
/// where the plan's rows come from.
/// @param moved [N, D] the cloud of the last solve. @param f [N] its potential.
Evaluation transport_back(const Model& model, const Pair& pair, std::vector<double> moved,
                          const std::vector<double>& f, std::vector<double> points,
                          ThreadPool& pool);

}  // namespace kantor::progot
