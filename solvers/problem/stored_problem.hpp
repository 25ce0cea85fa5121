#pragma once

// The problem that a run folder is of, compared with another one.

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "solvers/problem/problem.hpp"

namespace kantor {

/// What a resolved.toml holds besides the configuration, in its table [fingerprints].
struct RunRecord {
  static constexpr const char* kTable = "fingerprints";
  static constexpr const char* kDirectory = "run_directory";

  std::vector<std::string> fingerprints;  ///< of the marginals
  std::string directory;                  ///< that the run was written to; "" if not known
};

/// Takes it out of a resolved.toml, so that the solvers' schema does not know it; empty if there is
/// none. @throws ConfigError.
RunRecord take_record(config::Value& root);

/// The first marginal that has other data, weights or labels than the run saw.
std::optional<std::size_t> changed_marginal(const std::vector<std::string>& fingerprints,
                                            const Problem& problem);

/// Up to rounding: a relative epsilon is another one on another number of ranks.
bool has_epsilon_of(const Record& result, const Problem& problem);

}  // namespace kantor
