// kantor keys as a person calls it: every key there is, and what is refused.

#include <gmock/gmock.h>

#include <sstream>

#include "runtime/config/value.hpp"
#include "tests/launch/launch_fixture.hpp"

namespace kantor::test {
namespace {

using testing::AnyOf;
using testing::Contains;
using testing::HasSubstr;
using testing::IsSupersetOf;
using testing::StartsWith;

class Keys : public Launch {
 protected:
  std::vector<std::string> told(const std::string& table) const {
    std::vector<std::string> words = {"keys"};
    if (!table.empty()) words.push_back(table);
    const ProcessOutcome outcome = kantor(words);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    std::vector<std::string> lines;
    std::istringstream stream(outcome.out);
    for (std::string line; std::getline(stream, line);) lines.push_back(line);
    EXPECT_FALSE(lines.empty());
    return lines;
  }

  /// Each key of the table, and of those below it, has its line.
  void expect_told(const config::Table& table, const std::string& path) const {
    const std::vector<std::string> lines = told(path);
    for (const auto& [key, value] : table) {
      EXPECT_THAT(lines, Contains(AnyOf(StartsWith(key + " = "), StartsWith(key + ": "),
                                        StartsWith(key + " "), key)))
          << path << "." << key;
      const bool is_raw = path == "problem" && key == "epsilon";  // one key of two forms
      const auto* list = std::get_if<config::Array>(&value.data);
      if (value.is_table() && !is_raw) {
        expect_told(std::get<config::Table>(value.data), path + "." + key);
      } else if (list != nullptr && !list->empty() && list->front().is_table()) {
        for (const config::Value& item : *list) {
          expect_told(std::get<config::Table>(item.data), path + "." + key);
        }
      }
    }
  }
};

TEST_F(Keys, tells_of_every_key_that_a_run_reads) {
  write_problem("problem.toml", "{ relative = \"mean\" }",
                "generator = { name = \"gaussian_mixture\", n = 9, d = 4 }",
                "generator = { name = \"random_field\", n = 9, d = 4 }");
  const ProcessOutcome plan = kantor(
      {"run", "problem.toml", "--dry-run", "--set", "solver.sinkhorn.epsilon_decay={start=5.0}"});
  ASSERT_EQ(plan.exit_code, 0) << plan.err;
  write("resolved.toml", plan.out.substr(plan.out.find("[problem]")));
  const config::Value resolved = config::parse_toml_file(folder().file("resolved.toml"));
  for (const char* table : {"problem", "solver", "run"}) {
    expect_told(std::get<config::Table>(resolved.find(table)->data), table);
  }
}

TEST_F(Keys, tells_default_type_range_and_meaning) {
  const std::vector<std::string> lines = told("solver.sinkhorn");
  EXPECT_THAT(lines, Contains("tolerance = 0.001             number, 0 or more"));
  EXPECT_THAT(lines, Contains("    L1 marginal error to reach; 0 = run max_iterations"));
  EXPECT_THAT(lines, Contains(HasSubstr("auto | materialised | streamed")));
  EXPECT_THAT(lines, Contains(HasSubstr("see `kantor keys solver.sinkhorn.epsilon_decay`")));
  EXPECT_THAT(told("problem.marginals.generator"), Contains(StartsWith("exact_moments = false")));
}

TEST_F(Keys, tells_of_each_kind_what_is_its_own) {
  const std::vector<std::string> lines = told("problem");
  EXPECT_THAT(lines,
              IsSupersetOf({
                  "cost = \"quadratic\"            quadratic | inner_product",
                  "    c(x, y); of kind egw, mgw",
                  "cost = \"sqeuclidean\"          sqeuclidean | half_sqeuclidean | dot",
                  "    c(x, y); of kind mot",
                  "p = 2.0                       number, more than 1",
                  "    exponent of pnorm; of kind eot",
                  "rho = inf                     list of numbers, 1 to 2 of them, more than 0",
                  "    a number above 0, or { relative = \"mean\" | \"std\", scale = 0.05 }",
                  "    weight of KL(P | mu x nu)",
              }));
}

TEST_F(Keys, fits_a_terminal_and_lists_all_tables) {
  const std::vector<std::string> overview = told("");
  int num_tables = 0;
  for (const std::string& line : overview) {
    EXPECT_LE(line.size(), 80u) << line;
    const std::string table = line.substr(0, line.find(' '));
    if (table.empty() || table.starts_with('`')) continue;
    ++num_tables;
    for (const std::string& each : told(table)) EXPECT_LE(each.size(), 80u) << each;
  }
  EXPECT_GE(num_tables, 10);
}

TEST_F(Keys, refuses_a_table_that_is_not_there) {
  expect_refused(kantor({"keys", "solver.sinkhron"}), 2, {"did you mean solver.sinkhorn?"});
  expect_refused(kantor({"keys", "a", "b"}), 2, {"'b'"});
}

}  // namespace
}  // namespace kantor::test
