// Multimarginal transport: the sum over the edges of a graph of w |x_i - x_j|^2, or another cost.

#include "solvers/problem/kind.hpp"

namespace kantor {

namespace {

constexpr const char* kCosts[] = {"sqeuclidean", "half_sqeuclidean", "dot"};

}  // namespace

const KindEntry kMotKind = {.name = "mot",
                            .meaning = "transport between the marginals at the nodes of a graph",
                            .fewest = 2,
                            .most = kAnyNumber,
                            .is_in_one_space = true,
                            .costs = kCosts,
                            .describe = describe_on_graph<kMotKind>,
                            .check = check_on_graph<kMotKind>,
                            .sizes = sizes_of_clouds};

}  // namespace kantor
