#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "runtime/core/error.hpp"
#include "tests/runtime/config/config_text.hpp"
#include "tests/support/thrown.hpp"

namespace kantor::config {
namespace {

using test::message_of;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

/// The value that "--set key=TEXT" leaves, as TOML.
std::string set_to(const std::string& text) {
  Value root{Table{}, "", ""};
  apply_setting(root, "key=" + text);
  return to_toml_inline(*root.find("key"));
}

std::string refused(const std::string& setting, const std::string& file = "") {
  Value root = test::parsed(file);
  return message_of<ConfigError>([&] { apply_setting(root, setting); });
}

TEST(Setting, takes_toml_values) {
  EXPECT_EQ(set_to("1"), "1");
  EXPECT_EQ(set_to("-0.5"), "-0.5");
  EXPECT_EQ(set_to("2e3"), "2000.0");
  EXPECT_EQ(set_to("true"), "true");
  EXPECT_EQ(set_to("\"a b\""), "\"a b\"");
  EXPECT_EQ(set_to("'a=b'"), "\"a=b\"");
  EXPECT_EQ(set_to("[1, 2]"), "[1, 2]");
  EXPECT_EQ(set_to("{ relative = \"mean\", scale = 0.05 }"),
            "{ relative = \"mean\", scale = 0.05 }");
}

TEST(Setting, refuses_a_depth_that_no_stack_would_hold) {
  std::string many;
  for (int i = 0; i < 20'000; ++i) many += "a.";
  EXPECT_THAT(refused(many + "a=1"), HasSubstr("20001 parts"));
  EXPECT_THAT(refused("a={" + many + "a=1}"), HasSubstr("nested deeper"));
}

TEST(Setting, takes_bare_words_as_strings) {
  EXPECT_EQ(set_to("sinkhorn"), "\"sinkhorn\"");
  EXPECT_EQ(set_to("data/x-1.npy"), "\"data/x-1.npy\"");
  EXPECT_EQ(set_to("a=b"), "\"a=b\"");
  EXPECT_EQ(set_to("two words"), "\"two words\"");
  EXPECT_EQ(set_to("1.2.3"), "\"1.2.3\"");
  EXPECT_EQ(set_to("True"), "\"True\"");
  EXPECT_EQ(set_to("2020-01-01"), "\"2020-01-01\"");
  EXPECT_EQ(set_to("C:\\x"), "\"C:\\\\x\"");
}

TEST(Setting, takes_numbers_that_begin_or_end_with_a_point) {
  EXPECT_EQ(set_to(".5"), "0.5");
  EXPECT_EQ(set_to("-.5"), "-0.5");
  EXPECT_EQ(set_to("+.5"), "0.5");
  EXPECT_EQ(set_to("5."), "5.0");
  EXPECT_EQ(set_to("1.e-3"), "0.001");
  EXPECT_EQ(set_to("."), "\".\"");
  EXPECT_EQ(set_to(".."), "\"..\"");
}

TEST(Setting, ignores_blanks_around_key_and_value) {
  Value root{Table{}, "", ""};
  apply_setting(root, " a.b  =  3 ");
  EXPECT_EQ(to_toml(root, false), "[a]\nb = 3\n");
}

TEST(Setting, replaces_what_the_file_says_and_takes_its_origin) {
  Value root = test::parsed("[solver]\nname = 'neural'\nsteps = 3\n");
  apply_setting(root, "solver.name=sinkhorn");
  apply_setting(root, "solver.name=progot");
  EXPECT_EQ(to_toml(root, false), "[solver]\nname = \"progot\"\nsteps = 3\n");
  const Value* name = root.find("solver")->find("name");
  EXPECT_EQ(name->origin, "--set");
  EXPECT_EQ(name->base_dir, std::filesystem::current_path().string());
}

TEST(Setting, replaces_a_whole_table_by_a_table) {
  Value root = test::parsed("[a]\nx = 1\ny = 2\n");
  apply_setting(root, "a={ x = 5 }");
  EXPECT_EQ(to_toml(root, false), "[a]\nx = 5\n");
}

TEST(Setting, makes_the_tables_on_its_way) {
  Value root = test::parsed("");
  apply_setting(root, "solver.sinkhorn.tolerance=0.1");
  EXPECT_EQ(to_toml(root, true), "[solver.sinkhorn]\ntolerance = 0.1  # --set\n");
}

TEST(Setting, reaches_into_arrays_by_index) {
  Value root =
      test::parsed("[[problem.marginals]]\npath = 'x'\n[[problem.marginals]]\npath = 'y'\n");
  apply_setting(root, "problem.marginals.1.path=z.npy");
  apply_setting(root, "problem.marginals.0.rows=[0, 5]");
  EXPECT_EQ(to_toml(root, false),
            "[[problem.marginals]]\npath = \"x\"\nrows = [0, 5]\n\n"
            "[[problem.marginals]]\npath = \"z.npy\"\n");
}

TEST(Setting, refuses_an_index_outside_the_array) {
  const std::string file = "l = [1, 2]\n";
  for (const char* index : {"2", "99999999999999999999999", "-1", "x", "1x"}) {
    const auto message = refused(std::string("l.") + index + "=3", file);
    EXPECT_THAT(message, AllOf(HasSubstr("array of 2"), HasSubstr(index), HasSubstr(":1")));
  }
}

TEST(Setting, refuses_a_key_below_a_plain_value) {
  const auto message = refused("problem.epsilon.scale=2", "[problem]\nepsilon = 0.5\n");
  EXPECT_THAT(message, AllOf(HasSubstr("problem.epsilon"), HasSubstr("problem.toml:2"),
                             HasSubstr("a number"), HasSubstr("\"scale\"")));
}

TEST(Setting, refuses_what_is_no_setting) {
  for (const char* setting : {"", "a", "=", "=3", "a..b=3", ".a=3", "a.=3", "a b=3", "a\"=3"}) {
    EXPECT_THAT(refused(setting), HasSubstr("expected KEY.KEY=VALUE")) << setting;
  }
}

TEST(Setting, refuses_a_missing_value) {
  EXPECT_THAT(refused("a="), HasSubstr("no value"));
  EXPECT_THAT(refused("a=  "), HasSubstr("no value"));
}

TEST(Setting, refuses_broken_lists_tables_and_strings) {
  for (const char* setting : {"a=[1, 2", "a={x=1", "a=\"x", "a='x", "a=[1]]"}) {
    const auto message = refused(setting);
    EXPECT_THAT(message, AllOf(HasSubstr(setting), HasSubstr("not a TOML value"))) << setting;
    EXPECT_THAT(message, Not(HasSubstr("\n")));
  }
}

TEST(Setting, refuses_two_values_in_one) {
  EXPECT_THAT(refused("a=1\nb=2"), AllOf(HasSubstr("more than one"), Not(HasSubstr("\n"))));
  EXPECT_THAT(refused("a=1\n[b]"), HasSubstr("more than one"));
}

TEST(Setting, refuses_unprintable_words) {
  EXPECT_THAT(refused("a=x\x01y"), HasSubstr("not printable"));
  EXPECT_THAT(refused("a=\xff"), HasSubstr("not printable"));
}

}  // namespace
}  // namespace kantor::config
