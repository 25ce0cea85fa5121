#pragma once

// Who may include what: the floor plan (launch > solvers > distributed > runtime, arrows point down
// only) and the places that some headers must not leave.

#include <string>
#include <vector>

namespace kantor::test {

/// @param path  of a source file, from the root of the repository: "runtime/core/log.cpp".
/// @return one line for each #include that breaks a rule: "path:line: reason".
std::vector<std::string> broken_include_rules(const std::string& path, const std::string& text);

/// Whether the rules look at a file of this name.
bool is_source_file(const std::string& path);

}  // namespace kantor::test
