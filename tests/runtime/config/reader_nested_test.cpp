// Tables in tables, lists of tables, and keys that take several forms.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/config/reader.hpp"
#include "runtime/core/error.hpp"
#include "tests/runtime/config/config_text.hpp"
#include "tests/support/thrown.hpp"

namespace kantor::config {
namespace {

using test::message_of;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Network {
  std::string kind = "mlp";
  bool quadratic = true;
  void describe(Fields& fields) {
    fields.add_choice("kind", kind, {"mlp", "icnn"}, "architecture");
    fields.add("quadratic", quadratic, "adds a quadratic term");
  }
};

struct Marginal {
  std::string path;
  std::optional<Network> generator;
  std::vector<std::vector<double>> covariance;
  void describe(Fields& fields) {
    fields.add_path("path", path, "data file");
    fields.add_optional("generator", generator, "where points come from");
    if (const Value* given = fields.raw("covariance", "matrix")) {
      covariance = as_matrix(*given, fields.where("covariance"), "matrix");
    }
    fields.resolve_raw("covariance", make_value(covariance));
  }
};

struct Problem {
  Network network;
  std::vector<Marginal> marginals;
  double epsilon = 1;
  void describe(Fields& fields) {
    fields.add_struct("network", network, "the potential");
    fields.add_list("marginals", marginals, "the data");
    const Value* given = fields.raw("epsilon", "number or table");
    if (given != nullptr && !given->is_table()) {
      epsilon = as_number(*given, fields.where("epsilon"));
    }
  }
  void check() const {}
};

Problem read_problem(const std::string& text, Value& resolved) {
  return read<Problem>(test::parsed(text), "problem", resolved);
}

std::string refused(const std::string& text) {
  Value resolved{Table{}, "", ""};
  return message_of<ConfigError>([&] { read_problem(text, resolved); });
}

TEST(NestedReader, reads_tables_lists_and_optional_tables) {
  Value resolved{Table{}, "", ""};
  const Problem problem = read_problem(
      "[problem]\nnetwork = { quadratic = false }\nepsilon = 2\n"
      "[[problem.marginals]]\npath = '/x'\n"
      "[[problem.marginals]]\ngenerator = { kind = 'icnn' }\ncovariance = [[1, 0.5], [0.5, 2]]\n",
      resolved);
  EXPECT_FALSE(problem.network.quadratic);
  EXPECT_EQ(problem.epsilon, 2.0);
  ASSERT_EQ(problem.marginals.size(), 2u);
  EXPECT_EQ(problem.marginals[0].path, "/x");
  EXPECT_FALSE(problem.marginals[0].generator.has_value());
  EXPECT_EQ(problem.marginals[1].generator->kind, "icnn");
  EXPECT_THAT(problem.marginals[1].covariance,
              ElementsAre(ElementsAre(1, 0.5), ElementsAre(0.5, 2)));
}

TEST(NestedReader, records_the_resolved_tree_of_all_levels) {
  const test::ConfigText file(
      "[problem]\nepsilon = { relative = 'mean' }\n"
      "[[problem.marginals]]\ngenerator = {}\ncovariance = [[1, 2]]\n");
  Value resolved{Table{}, "", ""};
  read<Problem>(file.parsed(), "problem", resolved);
  EXPECT_EQ(to_toml(resolved, true),
            "[problem.network]\nkind = \"mlp\"  # default\nquadratic = true  # default\n\n"
            "[[problem.marginals]]\npath = \"\"  # default\ncovariance = [[1.0, 2.0]]  # " +
                file.line(5) +
                "\n\n[problem.marginals.generator]\nkind = \"mlp\"  # default\n"
                "quadratic = true  # default\n\n[problem.epsilon]\nrelative = \"mean\"  # " +
                file.line(2) + "\n");
}

TEST(NestedReader, lists_the_keys_of_all_levels) {
  std::vector<Key> keys;
  list_keys<Problem>("problem", keys);
  std::vector<std::string> names;
  for (const Key& key : keys) names.push_back(concat(key.table, ": ", key.name));
  EXPECT_THAT(
      names,
      ElementsAre("problem: network", "problem.network: kind", "problem.network: quadratic",
                  "problem: marginals", "problem.marginals: path", "problem.marginals: generator",
                  "problem.marginals.generator: kind", "problem.marginals.generator: quadratic",
                  "problem.marginals: covariance", "problem: epsilon"));
  EXPECT_EQ(keys[0].type, kTable);
  EXPECT_EQ(keys[0].meaning, "the potential");
  EXPECT_FALSE(keys[0].standard);
  EXPECT_EQ(to_toml_inline(*keys[1].standard), "\"mlp\"");
  EXPECT_EQ(keys[2].type, "true or false");
  EXPECT_EQ(keys[3].type, kTables);
  EXPECT_EQ(keys[5].type, kOptionalTable);
}

TEST(NestedReader, names_the_full_path_of_a_bad_value) {
  EXPECT_THAT(refused("[problem.network]\nquadratic = 1\n"),
              AllOf(HasSubstr("problem.network.quadratic ("), HasSubstr(":2)")));
  EXPECT_THAT(refused("[[problem.marginals]]\n[[problem.marginals]]\npath = 3\n"),
              AllOf(HasSubstr("problem.marginals.1.path ("), HasSubstr(":3)")));
}

TEST(NestedReader, refuses_unknown_keys_on_every_level) {
  EXPECT_THAT(refused("[problem.network]\nqadratic = true\n"),
              AllOf(HasSubstr("unknown key problem.network.qadratic"), HasSubstr("\"quadratic\"")));
  EXPECT_THAT(refused("[[problem.marginals]]\npth = 'x'\n"),
              AllOf(HasSubstr("unknown key problem.marginals.0.pth"), HasSubstr("\"path\"")));
  EXPECT_THAT(refused("[[problem.marginals]]\ngenerator = { knd = 'x' }\n"),
              HasSubstr("unknown key problem.marginals.0.generator.knd"));
}

TEST(NestedReader, refuses_other_values_for_tables_and_lists) {
  EXPECT_THAT(refused("[problem]\nnetwork = 'mlp'\n"),
              AllOf(HasSubstr("problem.network"), HasSubstr("expected a table (the potential)")));
  EXPECT_THAT(refused("[problem.marginals]\npath = 'x'\n"),
              HasSubstr("expected an array of tables, [[problem.marginals]]"));
  EXPECT_THAT(refused("[problem]\nmarginals = [1]\n"), HasSubstr("expected an array of tables"));
  EXPECT_THAT(refused("[[problem.marginals]]\ngenerator = 3\n"), HasSubstr("expected a table"));
}

TEST(NestedReader, refuses_what_is_no_matrix) {
  for (const char* value : {"[[1, 2], [3]]", "[]", "3", "[1, 2]", "[[1], 2]"}) {
    EXPECT_THAT(refused(std::string("[[problem.marginals]]\ncovariance = ") + value),
                HasSubstr("rows of equal length"))
        << value;
  }
  EXPECT_THAT(refused("[[problem.marginals]]\ncovariance = [[1, 'x']]"),
              AllOf(HasSubstr("row 0, entry 1"), HasSubstr("expected a number")));
}

}  // namespace
}  // namespace kantor::config
