#pragma once

#include <string>
#include <vector>

namespace kantor::checkpoint {

/// What a checkpoint file holds, for `kantor inspect`: lines for people, the first of which says
/// whether it is valid or why not. @throws nothing of ours; the reason is among the lines.
std::vector<std::string> describe(const std::string& path);

}  // namespace kantor::checkpoint
