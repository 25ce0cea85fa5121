// problem.kind: keys of each, and what it loads.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "runtime/data/npy.hpp"
#include "solvers/problem/kind.hpp"
#include "tests/runtime/config/config_text.hpp"
#include "tests/solvers/small_problem.hpp"
#include "tests/support/temporary_directory.hpp"
#include "tests/support/thrown.hpp"
#include "tests/support/world.hpp"

namespace kantor::test {
namespace {

/// n points in a cube for each of these dimensions.
std::string cubes(const std::vector<int>& dimensions, int n = 9) {
  std::string text;
  for (const int d : dimensions) {
    text += concat("[[problem.marginals]]\ngenerator = { name = \"uniform_cube\", n = ", n,
                   ", d = ", d, ", seed = ", d, " }\n");
  }
  return text;
}

ProblemConfig read_kind(const std::string& kind, const std::string& keys,
                        const std::string& marginals) {
  const std::string text =
      concat("[problem]\nkind = \"", kind, "\"\nepsilon = 0.5\n", keys, "\n", marginals);
  config::Value resolved{config::Table{}, "", ""};
  return config::read<ProblemConfig>(parsed(text), "problem", resolved);
}

Problem load(const ProblemConfig& config) {
  TestRun run(world());
  return load_problem(config, run.context);
}

TEST(Kinds, load_three_clouds_of_spaces_of_their_own) {
  const Problem problem = load(read_kind("mgw", "graph = \"path\"", cubes({2, 3, 4})));
  ASSERT_EQ(problem.clouds.size(), 3u);
  for (std::size_t k = 0; k < 3; ++k) {
    EXPECT_EQ(problem.n(k), 9);
    EXPECT_EQ(problem.d(k), static_cast<std::int64_t>(2 + k));
    ASSERT_EQ(problem.clouds[k].mean.size(), 2 + k);
    const std::vector<double> points = points_of(problem.clouds[k].marginal);
    double mean = 0;  // of the last coordinate
    for (std::size_t i = 1 + k; i < points.size(); i += 2 + k) mean += points[i] / 9;
    EXPECT_NEAR(problem.clouds[k].mean.back(), mean, 1e-15);
  }
  EXPECT_EQ(problem.epsilon, .5);
  EXPECT_STREQ(problem.kind->name, "mgw");
  EXPECT_EQ(problem.cost.name, "quadratic");
  EXPECT_EQ(problem.kind->sizes(problem), "9 x 9 x 9 points, d = 2 x 3 x 4");
}

TEST(Kinds, load_clouds_at_the_nodes_of_a_graph_in_one_space) {
  const Problem problem =
      load(read_kind("mot", "graph = \"circle\"\nedge_weight = [1.0, 2.0, 0.5]", cubes({3, 3, 3})));
  EXPECT_EQ(problem.clouds.size(), 3u);
  EXPECT_EQ(problem.kind->sizes(problem), "9 x 9 x 9 points, d = 3");
  const std::vector<Edge> edges = std::get<GraphTerms>(problem.terms).graph.edges(3);
  ASSERT_EQ(edges.size(), 3u);
  EXPECT_EQ(edges[2].from, 0u);
  EXPECT_EQ(edges[2].to, 2u);
  EXPECT_EQ(edges[2].weight, .5);
  const std::string refused = message_of<DataError>([] {
    load(read_kind("mot", "", cubes({2, 3})));
  });
  EXPECT_NE(refused.find("the cost needs the same number"), std::string::npos) << refused;
}

TEST(Kinds, load_features_that_two_spaces_share) {
  TemporaryDirectory folder;
  const auto write = [&](const std::string& name, std::int64_t n) {
    const std::vector<double> values = kernels::test::uniform(2 * n, 0, 1, 7);
    const std::vector<std::int64_t> shape = {n, 2};
    data::write_npy(folder.file(name), std::span<const double>(values), shape);
  };
  write("s.npy", 9);
  write("t.npy", 9);
  write("short.npy", 8);
  const auto marginals = [&](const std::string& second) {
    std::string text = cubes({2}) + concat("shared = \"", folder.file("s.npy"), "\"\n");
    return text + cubes({5}) + concat("shared = \"", folder.file(second), "\"\n");
  };
  const Problem problem = load(read_kind("egw", "alpha = 0.25", marginals("t.npy")));
  const auto& terms = std::get<EgwTerms>(problem.terms);
  EXPECT_EQ(terms.alpha, .25);
  ASSERT_EQ(terms.shared.size(), 2u);
  EXPECT_EQ(terms.shared[1].cloud.d(), 2);
  EXPECT_THROW(load(read_kind("egw", "alpha = 0.25", marginals("short.npy"))), DataError);
}

TEST(Kinds, load_pairs_of_densities) {
  const Problem problem = load(read_kind("grids", "size = 28\ndust = 1e-3", cubes({16, 16})));
  EXPECT_EQ(std::get<GridTerms>(problem.terms).size, 28);
  EXPECT_EQ(problem.kind->sizes(problem), "9 pairs of densities, 16 x 16 points");
  EXPECT_THROW(load(read_kind("grids", "", cubes({16}) + cubes({16}, 8))), DataError);
}

TEST(Kinds, refuse_what_they_cannot_be) {
  struct Row {
    const char *kind, *keys;
    std::vector<int> dimensions;
    std::vector<const char*> told;
  };
  for (const Row& row : std::vector<Row>{
           {"eot", "graph = \"full\"", {2, 2}, {"problem.graph (", "is a key of kind mot, mgw"}},
           {"eot", "alpha = 0.5", {2, 2}, {"problem.alpha (", "is a key of kind egw"}},
           {"mot", "rho = 1", {2, 2}, {"problem.rho (", "is a key of kind eot", "\"mot\""}},
           {"mot", "p = 3", {2, 2}, {"problem.p (", "is a key of kind eot"}},
           {"mgw", "dust = 0.1", {2, 2}, {"problem.dust (", "is a key of kind grids"}},
           {"egw", "grph = \"full\"", {2, 2}, {"unknown key problem.grph"}},
           {"eot", "", {2, 2, 2}, {"needs two [[problem.marginals]]", "3 are given"}},
           {"egw", "", {2}, {"needs two [[problem.marginals]]", "1 is given"}},
           {"mot", "", {2}, {"needs two or more", "1 is given"}},
           {"mgw", "", {}, {"needs two or more", "0 are given"}},
           {"mot", "cost = \"euclidean\"", {2, 2}, {"problem.cost", "half_sqeuclidean"}},
           {"egw", "cost = \"sqeuclidean\"", {2, 2}, {"problem.cost", "inner_product"}},
           {"egw", "alpha = 1.5", {2, 2}, {"problem.alpha", "1.5"}},
           {"egw", "alpha = 0.5", {2, 2}, {"problem.alpha = 0.5 needs", "marginals.0.shared"}},
           {"mot", "graph = [[0, 1], [1, 3]]", {2, 2, 2}, {"problem.graph: edge 1 of 2"}},
           {"mot", "graph = [[0, 1], [1, 0]]", {2, 2}, {"joins marginals 0 and 1 twice"}},
           {"mot", "graph = [[0, 1]]", {2, 2, 2}, {"joins marginal 2 to none"}},
           {"mot", "graph = \"ring\"", {2, 2}, {"problem.graph", "circle"}},
           {"mgw", "edge_weight = [1.0, 2.0]", {2, 2}, {"2 numbers for 1 edges"}},
           {"mgw", "edge_weight = -1.0", {2, 2}, {"problem.edge_weight", "-1"}},
           {"grids", "size = -1", {2, 2}, {"problem.size", "-1"}},
           {"grids", "dust = 1.0", {2, 2}, {"problem.dust", "1"}}}) {
    const std::string message =
        message_of<ConfigError>([&] { read_kind(row.kind, row.keys, cubes(row.dimensions)); });
    for (const char* each : row.told) {
      EXPECT_NE(message.find(each), std::string::npos) << row.kind << ": " << message;
    }
  }
  const std::string shared = message_of<ConfigError>(
      [] { read_kind("mot", "", cubes({2}) + "shared = \"s.npy\"\n" + cubes({2})); });
  EXPECT_NE(shared.find("problem.marginals.0.shared is a key of kind egw"), std::string::npos);
  const std::string beside_costs = message_of<ConfigError>([] {
    read_kind("eot", "cost = \"matrix\"\ncost_file = \"c.npy\"",
              "[[problem.marginals]]\n[[problem.marginals]]\nshared = \"s.npy\"\n");
  });
  EXPECT_NE(beside_costs.find("problem.marginals.1.shared is a key"), std::string::npos);
}

TEST(Graph, has_the_edges_of_its_shape) {
  const auto edges = [](const char* shape, std::size_t num_nodes) {
    std::string text;
    for (const Edge& edge : GraphConfig{.shape = shape, .pairs = {}}.edges(num_nodes)) {
      text += concat(text.empty() ? "" : " ", edge.from, edge.to);
    }
    return text;
  };
  EXPECT_EQ(edges("full", 4), "01 02 03 12 13 23");
  EXPECT_EQ(edges("path", 4), "01 12 23");
  EXPECT_EQ(edges("circle", 4), "01 12 23 03");
  EXPECT_EQ(edges("circle", 2), "01");
  EXPECT_EQ(edges("star", 4), "01 02 03");
  EXPECT_EQ(edges("binary", 7), "01 02 13 14 25 26");
}

}  // namespace
}  // namespace kantor::test
