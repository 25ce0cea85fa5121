#pragma once

// Checks that all ranks make together.

#include <string>
#include <vector>

#include "distributed/communicator.hpp"
#include "launch/doctor/check.hpp"

namespace kantor::launch {

/// @param hosts [size()], by rank.
Check describe_ranks(const Communicator& world, const std::vector<std::string>& hosts);

Check judge_launcher(const LaunchEnvironment& launched, const Communicator& world);

/// Sums and maxima of known numbers, then latency and bandwidth. Collective. @throws CommError.
Check check_all_reduce(Communicator& world);

/// Each rank's text on all ranks. Collective.
std::vector<std::string> gather_texts(Communicator& world, const std::string& mine);

}  // namespace kantor::launch
