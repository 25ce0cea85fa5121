#pragma once

#include <string>
#include <vector>

#include "solvers/neural/neural_config.hpp"
#include "solvers/problem/problem.hpp"
#include "solvers/result.hpp"

namespace kantor::neural {

/// NE-EOT: trains one potential on the semi-dual, then certifies it on the data: the dual value of
/// the learned potential, Sinkhorn iterations from it, and the value of a feasible plan.
/// Collective. Source: Wang & Goldfeld, arXiv 2312.07397 (estimator); certificates are ours.
Result solve(const NeuralConfig& config, const Problem& problem, Context& context);

/// What the closing summary says of its own keys.
std::vector<Line> lines_of(const Record& result);

/// Collective. @throws ConfigError, on every rank, if the points of a batch alone do not fit into
/// the memory that some rank has left.
void check_room_for_batch(const NeuralConfig& config, const Problem& problem, Context& context);

/// Bytes this rank would hold: points evaluated, costs stored for the certificate, parameters.
double bytes_per_rank(const NeuralConfig& config, const Problem& problem, const Context& context);

}  // namespace kantor::neural
