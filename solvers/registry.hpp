#pragma once

// The table of solvers: (problem kind, solver name) -> the function that solves.

#include <string>

#include "distributed/context.hpp"
#include "runtime/config/value.hpp"
#include "solvers/neural/neural_config.hpp"
#include "solvers/problem/problem.hpp"
#include "solvers/progot/progot_config.hpp"
#include "solvers/result.hpp"
#include "solvers/sinkhorn/sinkhorn_config.hpp"

namespace kantor {

/// A whole run, typed and checked; the tables of solvers that are not selected are read too.
struct Configuration {
  ProblemConfig problem;
  RunConfig run;
  std::string solver = "neural";
  neural::NeuralConfig neural;
  sinkhorn::SinkhornConfig sinkhorn;
  progot::ProgotConfig progot;
};

/// Reads [problem], [solver], [run]; `resolved` receives every value with its origin.
/// @throws ConfigError.
Configuration read_configuration(const config::Value& given, config::Value& resolved);

/// Solves with the configured solver. Collective.
Result solve(const Configuration& configuration, const Problem& problem, Context& context);

/// What the run would do and the memory it would take per rank, in a few lines (--dry-run).
std::string describe_plan(const Configuration& configuration, const Problem& problem,
                          Context& context);

}  // namespace kantor
