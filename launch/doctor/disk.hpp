#pragma once

#include <string>
#include <vector>

#include "launch/doctor/check.hpp"

namespace kantor::launch {

/// Whether runs could be written there: a folder of its own is made, used and removed again.
/// @param out a folder that exists, or that a run would create.
std::vector<Check> check_disk(const std::string& out);

}  // namespace kantor::launch
