#pragma once

// What a run that goes on must have in common with the one that was stopped.

#include <string>

#include "launch/configuration.hpp"

namespace kantor::launch {

/// [problem] without file names, solver.name, the tables that this solver reads, and of [run] what
/// the numbers depend on; as TOML, which checkpoints keep.
std::string identity_toml(const LoadedConfiguration& loaded);

/// How a run of the identity `mine` differs from a stored one, for people: "solver.neural.steps was
/// 2000 and is 3000"; "" if in nothing. A key that one side lacks counts as its default, so that a
/// run goes on with a program that has more keys; tables that `mine` does not read do not count.
/// @throws ConfigError: `stored` is no TOML.
std::string difference_of(const std::string& stored, const std::string& mine);

}  // namespace kantor::launch
