#pragma once

// What a person reads on the terminal before and after a run.

#include <string>
#include <vector>

#include "launch/json_files.hpp"
#include "solvers/problem/problem.hpp"
#include "solvers/registry.hpp"

namespace kantor::launch {

/// A few lines: the problem, the solver, the machine.
std::vector<std::string> opening_lines(const Configuration& configuration, const Problem& problem,
                                       const RunFacts& facts);

/// Each quantity under its defined name, the proven gap, the known answer, the speed.
std::vector<std::string> closing_lines(const Result& result);

/// What a plan that tells hardly more than the marginals is warned of with; empty for others.
std::string independence_line(const Result& result);

/// One line that says what to change; for a result that is not converged.
std::string not_converged_line(const Result& result, const Configuration& configuration);

}  // namespace kantor::launch
