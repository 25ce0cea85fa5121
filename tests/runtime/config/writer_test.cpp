#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "runtime/core/error.hpp"
#include "tests/runtime/config/config_text.hpp"
#include "tests/support/thrown.hpp"

namespace kantor::config {
namespace {

using ::testing::HasSubstr;

std::string inline_text(Value value) { return to_toml_inline(value); }

TEST(WriteToml, writes_values_before_tables_and_lists_of_tables) {
  const Value root = test::parsed(
      "[t]\nx = 1\n[t.inner]\ny = [1.0, 2]\n[[l]]\np = 'a'\nq = {k = 1}\n[[l]]\n[empty]\n");
  EXPECT_EQ(to_toml(root, false),
            "[t]\nx = 1\n\n[t.inner]\ny = [1.0, 2]\n\n[[l]]\np = \"a\"\n\n[l.q]\nk = 1\n\n[[l]]\n\n"
            "[empty]\n");
}

TEST(WriteToml, comes_back_equal_when_it_is_read_again) {
  const Value root = test::parsed(
      "a = 1\nb = 0.1\nc = [[1, 2], [3.0]]\nd = [{x = 1}, 2]\ne = []\n\"odd key\" = true\n"
      "[t]\n[t.u.v]\nx = -1e300\n[[t.l]]\n[t.l.m]\nx = 1\n[[t.l]]\ny = "
      "\"a\\\"b\\\\\\n\\u0001é\"\n");
  const std::string once = to_toml(root, true);
  EXPECT_EQ(to_toml(test::parsed(once), false), to_toml(root, false)) << once;
}

TEST(WriteToml, follows_each_value_by_its_origin) {
  const test::ConfigText file("a = 1\n[t]\nb = 'x'\n");
  Value root = file.parsed();
  apply_setting(root, "t.c=2");
  EXPECT_EQ(to_toml(root, true), "a = 1  # " + file.line(1) + "\n\n[t]\nb = \"x\"  # " +
                                     file.line(3) + "\nc = 2  # --set\n");
}

TEST(WriteToml, keeps_an_origin_on_its_line) {
  const Value root{Table{{"a", {true, "odd\nname.toml:1", ""}}}, "", ""};
  EXPECT_EQ(to_toml(root, true), "a = true  # odd?name.toml:1\n");
}

TEST(WriteToml, keeps_whole_and_other_numbers_apart) {
  EXPECT_EQ(inline_text({std::int64_t{2}, "", ""}), "2");
  EXPECT_EQ(inline_text({2.0, "", ""}), "2.0");
  EXPECT_EQ(inline_text({-2.0, "", ""}), "-2.0");
  EXPECT_EQ(inline_text({1e-3, "", ""}), "0.001");
  EXPECT_EQ(inline_text({1e100, "", ""}), "1e+100");
  EXPECT_EQ(inline_text({std::numeric_limits<double>::infinity(), "", ""}), "inf");
}

TEST(WriteToml, escapes_what_a_string_may_not_hold) {
  EXPECT_EQ(inline_text({std::string("a\"b\\c\n\t\r\x01\x7f é"), "", ""}),
            "\"a\\\"b\\\\c\\n\\t\\r\\u0001\\u007F é\"");
  EXPECT_EQ(inline_text({Table{{"a b", {true, "", ""}}}, "", ""}), "{ \"a b\" = true }");
}

TEST(WriteToml, refuses_a_string_that_is_not_utf8) {
  const auto message = test::message_of<ConfigError>([] {
    inline_text({std::string("caf\xe9"), "", ""});
  });
  EXPECT_THAT(message, HasSubstr("caf?"));
  EXPECT_THAT(message, HasSubstr("not UTF-8"));
}

TEST(WriteToml, refuses_a_root_that_is_no_table) {
  EXPECT_THROW((void)to_toml(Value{true, "", ""}, false), ValueError);
}

}  // namespace
}  // namespace kantor::config
