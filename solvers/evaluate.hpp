#pragma once

// Potentials and entropic maps at new points, from the arrays a run has stored.
// Shapes: K new points, D dimensions, n points of the run's own marginals.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "distributed/context.hpp"
#include "solvers/problem/problem.hpp"

namespace kantor {

/// What `kantor eval` reads back from a run directory.
struct StoredRun {
  std::vector<std::vector<double>> potentials;  ///< potentials/i.npy
  std::vector<double> points = {};              ///< points.npy [n, D], progot only
  std::string model_json = {};                  ///< model.json, "" without a model
  std::vector<Result::Tensor> model = {};       ///< model.safetensors
};

struct Evaluation {
  std::vector<double> potential;  ///< [K]
  std::vector<double> map;  ///< [K, D] entropic map, empty where the cost has none (euclidean)
};

/// @param marginal which marginal the points belong to (0 or 1): its potential, and the map to the
/// other one.
/// @param points   [K, D] row-major.
/// A run of ProgOT takes points of marginal 0 through all its maps; the potential is the last
/// step's where they are by then. Points of marginal 1 are averaged back by the last plan. Other
/// runs: The potential is the network's where there is one for this marginal, else the c-transform
/// of the other marginal's stored potential; the map averages over the other marginal (Pooladian &
/// Niles-Weed 2021).
/// @throws DataError if shapes do not fit the run.
Evaluation evaluate_at(const Problem& problem, const StoredRun& run, int marginal,
                       std::span<const double> points, Context& context);

}  // namespace kantor
