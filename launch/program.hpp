#pragma once

#include <string>
#include <vector>

namespace kantor::launch {

/// One invocation of kantor, from words to exit code; prints at most one error line, from one rank.
/// @param command_line the program's name and its arguments.
int run_program(const std::vector<std::string>& command_line);

}  // namespace kantor::launch
