#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "solvers/problem/problem.hpp"
#include "tests/runtime/config/config_text.hpp"
#include "tests/support/thrown.hpp"

namespace kantor::test {
namespace {

/// [problem] with these keys and this many marginals.
ProblemConfig read_problem(const std::string& keys, int num_marginals = 2,
                           const std::string& marginal = "path = \"x.npy\"") {
  std::string text = "[problem]\n" + keys + "\n";
  for (int i = 0; i < num_marginals; ++i) text += "[[problem.marginals]]\n" + marginal + "\n";
  config::Value resolved{config::Table{}, "", ""};
  return config::read<ProblemConfig>(parsed(text), "problem", resolved);
}

TEST(ProblemConfig, needs_only_epsilon_and_two_marginals) {
  const ProblemConfig config = read_problem("epsilon = 0.5");
  EXPECT_EQ(config.kind, "eot");
  EXPECT_EQ(config.cost, "sqeuclidean");
  EXPECT_EQ(config.epsilon.value, .5);
  EXPECT_EQ(config.epsilon.relative, "");
  EXPECT_EQ(config.marginals.size(), 2u);
}

TEST(ProblemConfig, reads_both_forms_of_epsilon) {
  EXPECT_EQ(read_problem("epsilon = 2").epsilon.value, 2);
  const EpsilonConfig mean = read_problem("epsilon = { relative = \"mean\" }").epsilon;
  EXPECT_EQ(mean.relative, "mean");
  EXPECT_EQ(mean.scale, .05);
  const EpsilonConfig deviation =
      read_problem("epsilon = { relative = \"std\", scale = 0.25 }").epsilon;
  EXPECT_EQ(deviation.relative, "std");
  EXPECT_EQ(deviation.scale, .25);
}

TEST(ProblemConfig, records_epsilon_with_its_defaults) {
  config::Value resolved{config::Table{}, "", ""};
  config::read<ProblemConfig>(
      parsed("[problem]\nepsilon = { relative = \"mean\" }\n[[problem.marginals]]\npath = \"x\"\n"
             "[[problem.marginals]]\npath = \"y\"\n"),
      "problem", resolved);
  const config::Value* epsilon = resolved.find("problem")->find("epsilon");
  ASSERT_NE(epsilon, nullptr);
  ASSERT_NE(epsilon->find("scale"), nullptr);
  EXPECT_EQ(std::get<double>(epsilon->find("scale")->data), .05);
}

TEST(ProblemConfig, reads_the_penalty_of_one_or_both_marginals) {
  EXPECT_TRUE(penalty_of(read_problem("epsilon = 1").terms).is_balanced());
  EXPECT_TRUE(penalty_of(read_problem("epsilon = 1\nrho = inf").terms).is_balanced());
  const Penalty both = penalty_of(read_problem("epsilon = 1\nrho = 2").terms);
  EXPECT_EQ(both.x, 2);
  EXPECT_EQ(both.y, 2);
  EXPECT_TRUE(both.is_free());
  const Penalty one = penalty_of(read_problem("epsilon = 1\nrho = [0.5, inf]").terms);
  EXPECT_EQ(one.x, .5);
  EXPECT_TRUE(std::isinf(one.y));
  EXPECT_FALSE(one.is_free());
  EXPECT_FALSE(one.is_balanced());
}

TEST(ProblemConfig, records_the_penalty_so_that_it_can_be_read_again) {
  for (const std::string keys :
       {"epsilon = 1", "epsilon = 1\nrho = [0.5, inf]", "epsilon = 1\nrho = 3"}) {
    config::Value resolved{config::Table{}, "", ""};
    const std::string text =
        "[problem]\n" + keys +
        "\n[[problem.marginals]]\npath = \"x\"\n[[problem.marginals]]\npath = \"y\"\n";
    const auto first = config::read<ProblemConfig>(parsed(text), "problem", resolved);
    config::Value again{config::Table{}, "", ""};
    const auto second =
        config::read<ProblemConfig>(parsed(config::to_toml(resolved, false)), "problem", again);
    EXPECT_EQ(penalty_of(first.terms).x, penalty_of(second.terms).x) << keys;
    EXPECT_EQ(penalty_of(first.terms).y, penalty_of(second.terms).y) << keys;
  }
}

TEST(ProblemConfig, names_every_cost_both_ways) {
  for (const char* name : {"sqeuclidean", "half_sqeuclidean", "dot", "euclidean", "pnorm"}) {
    EXPECT_EQ(read_problem("epsilon = 1\ncost = \"" + std::string(name) + "\"").cost, name);
    EXPECT_EQ(cost_name(cost_kind(name)), name);
  }
  EXPECT_EQ(read_problem("epsilon = 1\ncost = \"cosine\"").cost, "cosine");
  message_of<ConfigError>([] { cost_kind("cosines"); });
}

struct Refusal {
  std::string keys;
  std::string says;
};

TEST(ProblemConfig, refuses_bad_values_and_says_which) {
  const std::vector<Refusal> refusals = {
      {"", "problem.epsilon is missing"},
      {"epsilom = 0.5", "did you mean \"epsilon\"?"},
      {"epsilon = 0", ":2) = 0.0: expected more than 0 (a number above 0, or { relative"},
      {"epsilon = -0.5", "problem.toml:2) = -0.5"},
      {"epsilon = inf", "problem.toml:2) = inf: expected a finite number"},
      {"epsilon = nan", "problem.toml:2) = nan"},
      {"epsilon = \"small\"", "problem.epsilon"},
      {"epsilon = true", "expected a number"},
      {"epsilon = [0.5]", "expected a number"},
      {"epsilon = {}", "lacks relative"},
      {"epsilon = 1\nrho = 0", "problem.toml:3) = [0.0]: expected more than 0 (KL penalty"},
      {"epsilon = 1\nrho = -2.5", "problem.toml:3) = [-2.5]"},
      {"epsilon = 1\nrho = nan", "problem.toml:3) = [nan]"},
      {"epsilon = 1\nrho = [1.0, -1.0]", "problem.toml:3) = [1.0, -1.0]"},
      {"epsilon = 1\nrho = []", "expected 1 to 2 of them"},
      {"epsilon = 1\nrho = [1.0, 2.0, 3.0]", "expected 1 to 2 of them"},
      {"epsilon = 1\nrho = \"large\"", "rho"},
      {"epsilon = { scale = 0.05 }", "lacks relative"},
      {"epsilon = { relative = \"median\" }", "median"},
      {"epsilon = { relative = 0.05 }", "relative"},
      {"epsilon = { relative = \"mean\", scale = 0 }",
       "problem.toml:2) = 0.0: expected more than 0"},
      {"epsilon = { relative = \"std\", scale = -1 }", "problem.toml:2) = -1.0"},
      {"epsilon = { relative = \"mean\", scale = \"x\" }", "scale"},
      {"epsilon = { relative = \"mean\", sale = 0.1 }", "scale"},  // the nearest known key
      {"epsilon = 1\ncost = \"sqeuclidian\"", "did you mean \"sqeuclidean\"?"},
      {"epsilon = 1\ncost = 2", "cost"},
      {"epsilon = 1\nkind = \"uot\"", "kind"},
      {"epsilon = 1\ncost = \"pnorm\"\np = 1",
       "problem.toml:4) = 1.0: expected more than 1 (exponent"},
      {"epsilon = 1\ncost = \"pnorm\"\np = 0.5", "problem.toml:4) = 0.5"},
      {"epsilon = 1\ncost = \"pnorm\"\np = -2", "problem.toml:4) = -2.0"},
      {"epsilon = 1\ncost = \"pnorm\"\np = inf", "problem.p"},
      {"epsilon = 1\ncost = \"pnorm\"\np = \"2\"", "problem.p"},
      {"epsilon = 1\nepsilom = 2", "epsilon"},
  };
  for (const Refusal& refusal : refusals) {
    SCOPED_TRACE(refusal.keys);
    const std::string message = message_of<ConfigError>([&] { read_problem(refusal.keys); });
    EXPECT_NE(message.find(refusal.says), std::string::npos) << message;
  }
}

TEST(ProblemConfig, refuses_other_numbers_of_marginals) {
  for (const int count : {0, 1, 3}) {
    const std::string message =
        message_of<ConfigError>([&] { read_problem("epsilon = 1", count); });
    EXPECT_NE(message.find("needs two"), std::string::npos) << message;
  }
}

TEST(ProblemConfig, checks_its_marginals) {
  message_of<ConfigError>([] { read_problem("epsilon = 1", 2, "scale = 2"); });  // no points
  message_of<ConfigError>(
      [] { read_problem("epsilon = 1", 2, "path = \"x.npy\"\nholdout = 1.5"); });
}

}  // namespace
}  // namespace kantor::test
