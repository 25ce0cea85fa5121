// Multimarginal Gromov-Wasserstein: the sum over the edges of a graph of a distortion.

#include "solvers/problem/kind.hpp"

namespace kantor {

const KindEntry kMgwKind = {
    .name = "mgw",
    .meaning = "Gromov-Wasserstein between the spaces at the nodes of a graph",
    .fewest = 2,
    .most = kAnyNumber,
    .is_in_one_space = false,
    .costs = kDistortionNames,
    .describe = describe_on_graph<kMgwKind>,
    .check = check_on_graph<kMgwKind>,
    .sizes = sizes_of_clouds};

}  // namespace kantor
