#include "runtime/config/reader.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <limits>

#include "runtime/core/error.hpp"
#include "tests/runtime/config/config_text.hpp"
#include "tests/support/thrown.hpp"

namespace kantor::config {
namespace {

using test::ConfigText;
using test::message_of;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

struct Solver {
  double tolerance = 1e-3;
  std::int64_t steps = 2000;
  bool check_finite = true;
  std::string title = "none";
  std::string storage = "auto";
  std::string path;
  std::vector<double> alphas;
  std::vector<std::int64_t> width{128, 128};
  std::vector<std::string> tags;
  double horizon = std::numeric_limits<double>::infinity();

  void describe(Fields& fields) {
    fields.add("tolerance", tolerance, "L1 marginal error");
    fields.add("steps", steps, "number of steps");
    fields.add("check_finite", check_finite, "look for NaN");
    fields.add("title", title, "a name");
    fields.add_choice("storage", storage, {"auto", "streamed", "absorbed"}, "how costs are kept");
    fields.add_path("path", path, "data file");
    fields.add("alphas", alphas, "step fractions");
    fields.add("width", width, "layer widths");
    fields.add("tags", tags, "words");
    fields.add("horizon", horizon, "seconds, inf = no limit");
  }
  void check() const {
    if (tolerance < 0) throw ConfigError("solver.tolerance must not be negative");
  }
};

Solver read_solver(const std::string& text) {
  Value resolved{Table{}, "", ""};
  return read<Solver>(test::parsed(text), "solver", resolved);
}

std::string refused(const std::string& line) {
  const ConfigText file("[solver]\n" + line + "\n");
  const Value root = file.parsed();
  Value resolved{Table{}, "", ""};
  const auto message = message_of<ConfigError>([&] { read<Solver>(root, "solver", resolved); });
  EXPECT_THAT(message, Not(HasSubstr("\n")));
  return message;
}

TEST(Reader, keeps_defaults_when_nothing_is_given) {
  const Solver solver = read_solver("");
  EXPECT_EQ(solver.tolerance, 1e-3);
  EXPECT_THAT(solver.width, ElementsAre(128, 128));
  EXPECT_EQ(solver.path, "");
}

TEST(Reader, reads_every_type) {
  const Solver solver = read_solver(
      "[solver]\ntolerance = 0.5\nsteps = 7\ncheck_finite = false\ntitle = 'x'\n"
      "storage = 'streamed'\nalphas = [0.5, 1]\nwidth = [3]\ntags = ['a', 'b']\n");
  EXPECT_EQ(solver.tolerance, 0.5);
  EXPECT_EQ(solver.steps, 7);
  EXPECT_FALSE(solver.check_finite);
  EXPECT_EQ(solver.title, "x");
  EXPECT_EQ(solver.storage, "streamed");
  EXPECT_THAT(solver.alphas, ElementsAre(0.5, 1.0));
  EXPECT_THAT(solver.width, ElementsAre(3));
  EXPECT_THAT(solver.tags, ElementsAre("a", "b"));
}

TEST(Reader, takes_whole_numbers_and_numbers_for_each_other_where_they_are_equal) {
  const Solver solver = read_solver("[solver]\ntolerance = 2\nsteps = 2e3\nwidth = [1e2, 64]\n");
  EXPECT_EQ(solver.tolerance, 2.0);
  EXPECT_EQ(solver.steps, 2000);
  EXPECT_THAT(solver.width, ElementsAre(100, 64));
}

TEST(Reader, takes_one_value_as_a_list_of_one) {
  const Solver solver = read_solver("[solver]\nalphas = 1\nwidth = 64\ntags = 'a'\n");
  EXPECT_THAT(solver.alphas, ElementsAre(1.0));
  EXPECT_THAT(solver.width, ElementsAre(64));
  EXPECT_THAT(solver.tags, ElementsAre("a"));
}

TEST(Reader, makes_paths_absolute_against_the_file_that_names_them) {
  const ConfigText file("[solver]\npath = '../data/./x.npy'\n");
  Value root = file.parsed();
  Value resolved{Table{}, "", ""};
  const auto parent = std::filesystem::path(file.folder()).parent_path();
  EXPECT_EQ(read<Solver>(root, "solver", resolved).path, (parent / "data/x.npy").string());
  apply_setting(root, "solver.path=y.npy");
  EXPECT_EQ(read<Solver>(root, "solver", resolved).path,
            (std::filesystem::current_path() / "y.npy").string());
  apply_setting(root, "solver.path=/abs/z.npy");
  EXPECT_EQ(read<Solver>(root, "solver", resolved).path, "/abs/z.npy");
}

TEST(Reader, accepts_infinity_only_where_the_default_is_infinite) {
  EXPECT_EQ(read_solver("[solver]\nhorizon = 5\n").horizon, 5.0);
  EXPECT_TRUE(std::isinf(read_solver("[solver]\nhorizon = inf\n").horizon));
  EXPECT_THAT(refused("tolerance = inf"), HasSubstr("expected a finite number"));
  EXPECT_THAT(refused("tolerance = nan"), HasSubstr("expected a finite number"));
  EXPECT_THAT(refused("alphas = [1.0, -inf]"), HasSubstr("expected a finite number"));
}

TEST(Reader, names_key_origin_value_and_expectation_of_a_wrong_type) {
  EXPECT_THAT(refused("tolerance = \"abc\""),
              AllOf(HasSubstr("solver.tolerance ("), HasSubstr("problem.toml:2) = \"abc\""),
                    HasSubstr("expected a number (L1 marginal error)")));
  EXPECT_THAT(refused("check_finite = 1"), HasSubstr("= 1: expected true or false"));
  EXPECT_THAT(refused("title = 3"), HasSubstr("= 3: expected a string"));
  EXPECT_THAT(refused("tolerance = [1]"), HasSubstr("= [1]: expected a number"));
  EXPECT_THAT(refused("tolerance = true"), HasSubstr("= true: expected a number"));
  EXPECT_THAT(refused("path = 3"), HasSubstr("= 3: expected a string"));
  EXPECT_THAT(refused("tags = ['a', 1]"), HasSubstr("entry 1 = 1: expected a string"));
  EXPECT_THAT(refused("width = [[1]]"), HasSubstr("entry 0 = [1]: expected a whole number"));
}

TEST(Reader, refuses_numbers_that_are_not_whole_for_whole_ones) {
  for (const char* value : {"1.5", "1e300", "-1e300", "9.3e18", "nan", "inf", "\"7\"", "true"}) {
    EXPECT_THAT(refused(std::string("steps = ") + value), HasSubstr("expected a whole number"));
  }
}

TEST(Reader, shortens_a_long_value_without_splitting_a_letter) {
  std::string long_text;
  for (int i = 0; i < 100; ++i) long_text += "é";
  const auto message = refused("tolerance = \"" + long_text + "\"");
  EXPECT_LT(message.size(), 200u);
  EXPECT_THAT(message, HasSubstr("é .. é"));
}

TEST(Reader, says_how_to_quote_a_string_in_a_setting) {
  Value root = test::parsed("");
  apply_setting(root, "solver.title=2024");
  Value resolved{Table{}, "", ""};
  EXPECT_THAT(message_of<ConfigError>([&] { read<Solver>(root, "solver", resolved); }),
              AllOf(HasSubstr("solver.title (--set) = 2024"), HasSubstr("'\"2024\"'")));
}

TEST(Reader, refuses_a_word_outside_the_choices_and_names_the_nearest) {
  EXPECT_THAT(refused("storage = 'steamed'"), AllOf(HasSubstr("one of auto, streamed, absorbed"),
                                                    HasSubstr("did you mean \"streamed\"?")));
  EXPECT_THAT(refused("storage = 'xyz'"), Not(HasSubstr("did you mean")));
  EXPECT_THAT(refused("storage = 1"), HasSubstr("expected a string (one of auto"));
}

TEST(Reader, refuses_an_unknown_key_and_names_the_nearest) {
  EXPECT_THAT(refused("tolerence = 1"),
              AllOf(HasSubstr("unknown key solver.tolerence ("), HasSubstr("problem.toml:2"),
                    HasSubstr("did you mean \"tolerance\"?")));
  EXPECT_THAT(refused("frobnicate = 1"),
              AllOf(HasSubstr("solver.frobnicate"), HasSubstr("known here: tolerance, steps")));
  EXPECT_THAT(refused("[solver.sinkhorn]"), HasSubstr("unknown key solver.sinkhorn"));
}

TEST(Reader, refuses_a_value_where_a_table_belongs) {
  Value resolved{Table{}, "", ""};
  const Value root = test::parsed("solver = 3\n");
  EXPECT_THAT(message_of<ConfigError>([&] { read<Solver>(root, "solver", resolved); }),
              AllOf(HasSubstr("solver ("), HasSubstr(":1) = 3"), HasSubstr("a table, [solver]")));
  EXPECT_THAT(message_of<ConfigError>([&] { read<Solver>(root, "solver.deep", resolved); }),
              HasSubstr("a table, [solver]"));
}

TEST(Reader, lets_the_struct_check_itself) {
  EXPECT_THAT(refused("tolerance = -1"), HasSubstr("must not be negative"));
}

TEST(Reader, records_every_value_with_its_origin) {
  const ConfigText file("[solver]\nsteps = 2e1\npath = 'x.npy'\nwidth = 5\n");
  Value root = file.parsed();
  apply_setting(root, "solver.title=mine");
  Value resolved{Table{}, "", ""};
  read<Solver>(root, "solver", resolved);
  EXPECT_EQ(to_toml(resolved, true),
            "[solver]\ntolerance = 0.001  # default\nsteps = 20  # " + file.line(2) +
                "\ncheck_finite = true  # default\ntitle = \"mine\"  # --set\n"
                "storage = \"auto\"  # default\npath = \"" +
                file.folder() + "/x.npy\"  # " + file.line(3) +
                "\nalphas = []  # default\nwidth = [5]  # " + file.line(4) +
                "\ntags = []  # default\nhorizon = inf  # default\n");
}

TEST(Reader, reads_its_own_resolved_tree_to_the_same_values) {
  Value resolved{Table{}, "", ""};
  read<Solver>(test::parsed("[solver]\nsteps = 3\nalphas = [0.1]\n"), "solver", resolved);
  const Value again = test::parsed(to_toml(resolved, true));
  Value resolved_again{Table{}, "", ""};
  read<Solver>(again, "solver", resolved_again);
  EXPECT_EQ(to_toml(resolved_again, false), to_toml(resolved, false));
}

TEST(Reader, records_a_table_that_is_read_twice_once) {
  const Value root = test::parsed("[solver]\nsteps = 3\n");
  Value resolved{Table{}, "", ""};
  read<Solver>(root, "solver", resolved);
  const std::string once = to_toml(resolved, true);
  read<Solver>(root, "solver", resolved);
  EXPECT_EQ(to_toml(resolved, true), once);
}

TEST(RefuseUnknownKeys, looks_at_the_root_and_at_tables_below) {
  const Value root = test::parsed("[problm]\n[run]\nsed = 1\n");
  EXPECT_THAT(message_of<ConfigError>([&] {
                refuse_unknown_keys(root, "", {"problem", "run"});
              }),
              AllOf(HasSubstr("unknown key problm ("), HasSubstr("\"problem\"")));
  EXPECT_THAT(message_of<ConfigError>([&] { refuse_unknown_keys(root, "run", {"seed"}); }),
              HasSubstr("unknown key run.sed"));
  refuse_unknown_keys(root, "", {"problm", "run"});
  refuse_unknown_keys(root, "absent.table", {});
}

struct Ranges {
  double share = 0.5;
  std::int64_t count = 3;
  std::vector<double> pair = {0, 1};

  void describe(Fields& fields) {
    fields.add("share", share, "a part").above(0).at_most(1);
    fields.add("count", count, "how many").between(2, 1024);
    fields.add("pair", pair, "two").items(2, 2).at_least(0).below(5);
  }
};

TEST(Range, names_key_place_and_value_of_a_number_beyond_it) {
  const auto refused_by = [](const std::string& line) {
    Value resolved{Table{}, "", ""};
    const Value root = test::parsed("[table]\n" + line + "\n");
    return message_of<ConfigError>([&] { read<Ranges>(root, "table", resolved); });
  };
  EXPECT_THAT(refused_by("share = 0"),
              AllOf(HasSubstr("table.share ("),
                    HasSubstr("problem.toml:2) = 0.0: expected more than 0 (a part)")));
  EXPECT_THAT(refused_by("share = 1.5"), HasSubstr("= 1.5: expected at most 1"));
  EXPECT_THAT(refused_by("count = 1"), HasSubstr("= 1: expected 2 to 1024 (how many)"));
  EXPECT_THAT(refused_by("count = 1025"), HasSubstr("expected 2 to 1024"));
  EXPECT_THAT(refused_by("pair = []"), HasSubstr("= []: expected 2 of them"));
  EXPECT_THAT(refused_by("pair = [0, 5]"), HasSubstr("expected less than 5"));
  EXPECT_THAT(refused_by("pair = [0, -1]"), HasSubstr("expected 0 or more"));
}

TEST(Range, takes_its_ends) {
  Value resolved{Table{}, "", ""};
  const Value root = test::parsed("[table]\nshare = 1\ncount = 2\npair = [0, 4.9]\n");
  EXPECT_EQ(read<Ranges>(root, "table", resolved).count, 2);
  std::vector<Key> keys;
  list_keys<Ranges>("table", keys);
  EXPECT_EQ(keys.at(0).range, "more than 0, at most 1");
  EXPECT_EQ(keys.at(2).range, "2 of them, 0 or more, less than 5");
}

struct Penalties {
  std::vector<double> both = {std::numeric_limits<double>::infinity()};
  void describe(Fields& fields) { fields.add("both", both, "").items(1, 2).above(0); }
};

TEST(Range, holds_infinities_of_a_list_whose_default_has_one) {
  Value resolved{Table{}, "", ""};
  const auto read_line = [&](const std::string& line) {
    return read<Penalties>(test::parsed("[table]\n" + line + "\n"), "table", resolved).both;
  };
  EXPECT_EQ(read_line("both = [2, inf]").at(1), std::numeric_limits<double>::infinity());
  EXPECT_THAT(message_of<ConfigError>([&] { read_line("both = nan"); }),
              HasSubstr("expected more than 0"));
}

}  // namespace
}  // namespace kantor::config
