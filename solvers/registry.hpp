#pragma once

// (problem kind, solver name) -> entry, and what all solvers have in common.

#include <string>
#include <vector>

#include "runtime/config/value.hpp"
#include "solvers/solver.hpp"

namespace kantor {

/// A whole run, typed and checked; the tables of solvers that are not selected are read too.
struct Configuration {
  ProblemConfig problem;
  RunConfig run;
  std::string solver = "neural";
  Tables tables;

  void describe(config::Fields& fields);
};

/// @throws ConfigError: that solver is not for that kind of problem.
const SolverEntry& entry_of(const Configuration& configuration);

/// Reads [problem], [solver], [run]; `resolved` receives every value with its origin.
/// @throws ConfigError.
Configuration read_configuration(const config::Value& given, config::Value& resolved);

/// Every key that a problem file may have, for people.
std::vector<config::Key> known_keys();

/// Solves with the configured solver. Collective.
Result solve(const Configuration& configuration, const Problem& problem, Context& context);

/// What the closing summary says of the own keys of the solver that a result.json is of; nothing of
/// one that is not known here.
std::vector<Line> own_lines(const Record& result);

/// What the run would do and the memory it would take per rank, in a few lines (--dry-run).
std::string describe_plan(const Configuration& configuration, const Problem& problem,
                          Context& context);

}  // namespace kantor
