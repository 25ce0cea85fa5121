#include "launch/identity.hpp"

#include <gtest/gtest.h>

#include "tests/runtime/config/config_text.hpp"

namespace kantor::launch {
namespace {

const std::string kProblem =
    "[problem]\nepsilon = 0.5\n"
    "[[problem.marginals]]\ngenerator = { name = \"gaussian\", n = 20, d = 2, seed = 1 }\n"
    "[[problem.marginals]]\ngenerator = { name = \"gaussian\", n = 15, d = 2, seed = 2 }\n";

std::string identity_of(const std::string& text) {
  LoadedConfiguration loaded;
  loaded.resolved.data = config::Table{};
  loaded.typed = read_configuration(test::parsed(kProblem + text), loaded.resolved);
  return identity_toml(loaded);
}

/// The text without its line that starts with the key.
std::string without(std::string text, const std::string& key) {
  const auto begin = text.find("\n" + key + " = ");
  EXPECT_NE(begin, std::string::npos) << key << " is not in " << text;
  return text.erase(begin, text.find('\n', begin + 1) - begin);
}

const std::string kSinkhorn = "[solver]\nname = \"sinkhorn\"\n";

TEST(Identity, holds_what_the_solver_reads_and_nothing_else) {
  const std::string identity = identity_of(kSinkhorn);
  EXPECT_NE(identity.find("[solver.sinkhorn]"), std::string::npos) << identity;
  EXPECT_EQ(identity.find("[solver.neural]"), std::string::npos) << identity;
  EXPECT_EQ(identity.find("threads"), std::string::npos) << identity;
  EXPECT_EQ(difference_of(identity, identity), "");
  const std::string neural = kSinkhorn + "[solver.neural]\nsteps = 3\n[run]\nthreads = 2\n";
  EXPECT_EQ(difference_of(identity, identity_of(neural)), "");
  const std::string progot = identity_of("[solver]\nname = \"progot\"\n");
  EXPECT_NE(progot.find("[solver.sinkhorn]"), std::string::npos) << progot;
}

TEST(Identity, names_the_key_and_both_values_of_a_difference) {
  const auto difference = [](const std::string& was, const std::string& is) {
    return difference_of(identity_of(was), identity_of(is));
  };
  EXPECT_EQ(difference("", "[solver.neural]\nsteps = 3000\n"),
            "solver.neural.steps was 2000 and is 3000");
  EXPECT_EQ(difference("", "[solver.neural]\nnetwork = { width = [8, 9] }\n"),
            "solver.neural.network.width was [128, 128] and is [8, 9]");
  EXPECT_EQ(difference("", kSinkhorn), "solver.name was \"neural\" and is \"sinkhorn\"");
  EXPECT_EQ(difference("", "[run]\nseed = 4\n"), "run.seed was 0 and is 4");
  EXPECT_EQ(difference("[run]\nseed = 9007199254740993\n", "[run]\nseed = 9007199254740992\n"),
            "run.seed was 9007199254740993 and is 9007199254740992");
  EXPECT_EQ(difference(kSinkhorn, kSinkhorn + "sinkhorn = { epsilon_decay = { start = 4 } }\n"),
            "solver.sinkhorn.epsilon_decay was not given and is { start = 4.0, factor = 0.9 }");
  std::string other = identity_of("");
  other.replace(other.find("n = 20"), 6, "n = 30");
  EXPECT_EQ(difference_of(other, identity_of("")),
            "problem.marginals.0.generator.n was 30 and is 20");
}

TEST(Identity, takes_a_key_that_the_stored_side_lacks_for_its_default) {
  const std::string whole = identity_of("");
  for (const char* key : {"gap_tolerance", "betas", "negatives", "quadratic", "rho"}) {
    EXPECT_EQ(difference_of(without(whole, key), whole), "") << key;
  }
  const std::string changed = identity_of("[solver.neural]\ngap_tolerance = 0.5\n");
  EXPECT_EQ(difference_of(without(whole, "gap_tolerance"), changed),
            "solver.neural.gap_tolerance was 0.01 and is 0.5");
  std::string tableless = whole;
  tableless.erase(whole.find("[solver.neural.network]"),
                  whole.find("[run]") - whole.find("[solver.neural.network]"));
  EXPECT_EQ(difference_of(tableless, whole), "");
}

TEST(Identity, takes_defaults_of_the_kind_of_problem) {
  for (const auto& [kind, standard] :
       {std::pair{"eot", "sqeuclidean"}, std::pair{"egw", "quadratic"}}) {
    const std::string problem = concat("[problem]\nkind = \"", kind, "\"\n");
    const auto with = [&](const char* cost) { return concat(problem, "cost = \"", cost, "\"\n"); };
    EXPECT_EQ(difference_of(problem, with(standard)), "");
    EXPECT_EQ(difference_of(problem, with("dot")),
              concat("problem.cost was \"", standard, "\" and is \"dot\""));
  }
}

TEST(Identity, refuses_a_key_that_is_known_no_more) {
  const std::string whole = identity_of("");
  std::string older = whole;
  older.insert(older.find("batch = "), "momentum = 2\n");
  EXPECT_EQ(difference_of(older, whole), "solver.neural.momentum was 2 and is not given");
}

TEST(Identity, compares_values_and_not_how_they_are_written) {
  std::string other = identity_of("");
  other.replace(other.find("weight_decay = 0.0"), 18, "weight_decay = 0");
  other.replace(other.find("betas = [0.9, 0.999]"), 20, "betas = [9e-1, 0.9990]");
  EXPECT_EQ(difference_of(other, identity_of("")), "");
}

}  // namespace
}  // namespace kantor::launch
