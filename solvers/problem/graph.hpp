#pragma once

// Which marginals of a problem of many cost something together. Shapes: K nodes.

#include <cstddef>
#include <string>
#include <vector>

#include "runtime/config/reader.hpp"

namespace kantor {

struct Edge {
  std::size_t from = 0;
  std::size_t to = 0;
  double weight = 1;
};

/// graph = "full" | "circle" | "path" | "star" | "binary" | [[0, 1], [1, 2]] and edge_weight.
struct GraphConfig {
  std::string shape = "full";  ///< "": the pairs
  std::vector<std::vector<double>> pairs;
  std::vector<double> weights = {1};  ///< one of all edges, or one each

  void describe(config::Fields& fields);
  /// Between K marginals; full: in lexicographic order; circle of two: one edge.
  /// @throws ConfigError: no such node, an edge twice, a node without one, weights of another
  /// number
  std::vector<Edge> edges(std::size_t num_nodes) const;
};

}  // namespace kantor
