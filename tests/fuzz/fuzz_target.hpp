#pragma once

#include <string>

#include "tests/fuzz/mutation.hpp"

// One parser under attack; each program of this folder defines both.

namespace kantor::fuzz {

Material material();

/// Feeds the parser. It may refuse by an error of ours; anything else it throws is a finding.
/// @throws std::logic_error if it took an input and what came of it does not hold together.
void attack(const std::string& input);

}  // namespace kantor::fuzz
