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

/// Lines on a result.json: each quantity that is there under its defined name, the proven gap, the
/// known answer, the speed, and what the solver says of its own keys.
std::vector<std::string> closing_lines(const Record& result);

/// "  label         text".
std::string labelled(std::string label, const std::string& text);

}  // namespace kantor::launch
