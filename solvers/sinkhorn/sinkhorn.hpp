#pragma once

#include <string>
#include <vector>

#include "solvers/problem/problem.hpp"
#include "solvers/result.hpp"
#include "solvers/sinkhorn/sinkhorn_config.hpp"

namespace kantor::sinkhorn {

/// Entropic OT by sharded log-domain Sinkhorn, in run.precision; what is reported is evaluated in
/// double. Collective.
Result solve(const SinkhornConfig& config, const Problem& problem, Context& context);

/// Whether a solve that says it has converged has done so in double: a loop measures in
/// run.precision, and a tolerance below its rounding is not believed, but warned of.
/// @param marginal_error [2] in double.
bool is_believed(bool converged, std::span<const double> marginal_error, double tolerance,
                 Context& context);

/// Shifts (f, g) to the gauge sum_i a_i f_i = 0; the plan and the dual value stay. @param a [N]
/// summing to 1. @return what was added to f.
double fix_gauge(std::span<const double> a, std::vector<double>& f, std::vector<double>& g);

/// Bytes this rank would hold for points and stored costs.
double bytes_per_rank(const SinkhornConfig& config, const Problem& problem, const Context& context);

}  // namespace kantor::sinkhorn
