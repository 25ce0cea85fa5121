#include "solvers/problem/graph.hpp"

#include <algorithm>
#include <cmath>

#include "runtime/config/convert.hpp"
#include "runtime/core/error.hpp"

namespace kantor {

namespace {

std::vector<Edge> edges_of_shape(const std::string& shape, std::size_t num_nodes) {
  std::vector<Edge> edges;
  for (std::size_t i = 1; i < num_nodes; ++i) {
    if (shape == "star") {
      edges.push_back({0, i});
    } else if (shape == "binary") {
      edges.push_back({(i - 1) / 2, i});
    } else {  // path, circle
      edges.push_back({i - 1, i});
    }
  }
  if (shape == "circle" && num_nodes > 2) edges.push_back({0, num_nodes - 1});
  if (shape != "full") return edges;
  edges.clear();
  for (std::size_t i = 0; i < num_nodes; ++i) {
    for (std::size_t j = i + 1; j < num_nodes; ++j) edges.push_back({i, j});
  }
  return edges;
}

/// @param pairs as they were given.
std::vector<Edge> edges_of_pairs(const std::vector<std::vector<double>>& pairs,
                                 std::size_t num_nodes) {
  std::vector<Edge> edges;
  for (const std::vector<double>& pair : pairs) {
    const auto is_node = [&](double end) {
      return end >= 0 && end < static_cast<double>(num_nodes) && end == std::floor(end);
    };
    if (pair.size() != 2 || !is_node(pair[0]) || !is_node(pair[1]) || pair[0] == pair[1]) {
      throw ConfigError(concat("problem.graph: edge ", edges.size(), " of ", pairs.size(),
                               " does not join two of the marginals 0 to ", num_nodes - 1));
    }
    const auto [from, to] =
        std::minmax({static_cast<std::size_t>(pair[0]), static_cast<std::size_t>(pair[1])});
    edges.push_back({from, to});
  }
  return edges;
}

}  // namespace

void GraphConfig::describe(config::Fields& fields) {
  constexpr const char* kMeaning = "which marginals cost something together";
  const config::Value* given =
      fields.raw("graph", kMeaning, "full | circle | path | star | binary, or pairs [[0, 1], ..]");
  if (given != nullptr && std::holds_alternative<config::Array>(given->data)) {
    pairs = config::as_matrix(*given, fields.where("graph"), kMeaning);
    shape.clear();
  } else {
    fields.add_choice("graph", shape, {"full", "circle", "path", "star", "binary"}, kMeaning);
  }
  fields.add("edge_weight", weights, "factor of an edge's cost: one of all, or one each").above(0);
}

std::vector<Edge> GraphConfig::edges(std::size_t num_nodes) const {
  std::vector<Edge> edges =
      shape.empty() ? edges_of_pairs(pairs, num_nodes) : edges_of_shape(shape, num_nodes);
  std::vector<int> degrees(num_nodes, 0);
  for (std::size_t e = 0; e < edges.size(); ++e) {
    ++degrees[edges[e].from];
    ++degrees[edges[e].to];
    for (std::size_t other = 0; other < e; ++other) {
      if (edges[other].from != edges[e].from || edges[other].to != edges[e].to) continue;
      throw ConfigError(concat("problem.graph joins marginals ", edges[e].from, " and ",
                               edges[e].to, " twice; give one edge its weight"));
    }
  }
  const auto alone = std::find(degrees.begin(), degrees.end(), 0);
  if (alone != degrees.end()) {
    throw ConfigError(concat("problem.graph joins marginal ", alone - degrees.begin(),
                             " to none of the ", num_nodes, "; give it an edge"));
  }
  if (weights.size() != 1 && weights.size() != edges.size()) {
    throw ConfigError(concat("problem.edge_weight has ", weights.size(), " numbers for ",
                             edges.size(), " edges; give one of all, or one each"));
  }
  for (std::size_t e = 0; e < edges.size(); ++e) {
    edges[e].weight = weights[weights.size() == 1 ? 0 : e];
  }
  return edges;
}

}  // namespace kantor
