#pragma once

// What is reported of an alignment, whichever solver found it. Shapes: N points x (N_r on this
// rank) of DX coordinates, M points y of DY; A [DX, DY].

#include <functional>
#include <span>
#include <vector>

#include "solvers/egw/multistart.hpp"
#include "solvers/eot/plan_diagnostics.hpp"
#include "solvers/eot/plan_value.hpp"
#include "solvers/result.hpp"

namespace kantor::egw {

/// The plan of a solution, in double.
struct Evaluated {
  PlanValue plan;         ///< of the lifted problem at A
  double objective = 0;   ///< of the rounded plan: an upper bound of the problem
  double dual_value = 0;  ///< at A: a lower bound of no more than that
  PlanDiagnostics diagnostics;
};

/// Collective. @param step, save see EvaluationProgress.
Evaluated evaluate(const Spaces& spaces, const Solved& solved, double epsilon, std::int64_t step,
                   const std::function<void()>& save, Context& context);

/// Objective and what it is made of.
void put_value(const Spaces& spaces, const Evaluated& value, double epsilon, Result& result);

/// |A|, and what the starts came to; nothing where all is in the features.
void put_alignment(const Spaces& spaces, const Trials& trials, const EgwConfig& config,
                   std::span<const double> alignment, Result& result);
Record starts_record(const Spaces& spaces, const Trials& trials, const EgwConfig& config);

/// Potentials in terms of c_A, and A. Collective.
/// @param f [N], g [M] of the lifted problem.
void add_potentials(const Spaces& spaces, const std::vector<double>& alignment,
                    std::vector<double> f, std::vector<double> g, Result& result, Context& context);

/// |A - B|.
double distance(std::span<const double> a, std::span<const double> b);

}  // namespace kantor::egw
