#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <thread>

#include "runtime/config/toml_depth.hpp"
#include "runtime/config/toml_file.hpp"
#include "runtime/core/error.hpp"
#include "tests/runtime/config/config_text.hpp"
#include "tests/support/thrown.hpp"

namespace kantor::config {
namespace {

using test::ConfigText;
using test::message_of;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

template <class Type>
Type get(const Value* value) {
  return std::get<Type>(value->data);
}

std::vector<std::string> keys(const Value& table) {
  std::vector<std::string> result;
  for (const auto& [key, value] : std::get<Table>(table.data)) result.push_back(key);
  return result;
}

TEST(ParseToml, keeps_every_type_and_the_line_of_every_value) {
  const ConfigText file(
      "a = true\n"
      "b = 12\n"
      "\n"
      "c = 1e-3  # comment\n"
      "d = \"text\"\n"
      "e = [1,\n"
      "     2.5]\n"
      "[t]\n"
      "f = 'x'\n");
  const Value root = file.parsed();
  EXPECT_EQ(get<bool>(root.find("a")), true);
  EXPECT_EQ(get<std::int64_t>(root.find("b")), 12);
  EXPECT_EQ(get<double>(root.find("c")), 1e-3);
  EXPECT_EQ(get<std::string>(root.find("d")), "text");
  EXPECT_EQ(root.find("a")->origin, file.line(1));
  EXPECT_EQ(root.find("c")->origin, file.line(4));
  EXPECT_EQ(root.find("e")->origin, file.line(6));
  const Array items = get<Array>(root.find("e"));
  ASSERT_EQ(items.size(), 2u);
  EXPECT_EQ(std::get<std::int64_t>(items[0].data), 1);
  EXPECT_EQ(std::get<double>(items[1].data), 2.5);
  EXPECT_EQ(items[1].origin, file.line(7));
  EXPECT_EQ(root.find("t")->origin, file.line(8));
  EXPECT_EQ(root.find("t")->find("f")->origin, file.line(9));
}

TEST(ParseToml, keeps_the_order_of_the_file) {
  const Value root = test::parsed("z = 1\na = 2\n[m]\ny = 1\nb = 2\n[c]\n[[l]]\nq = 1\np = 2\n");
  EXPECT_THAT(keys(root), ElementsAre("z", "a", "m", "c", "l"));
  EXPECT_THAT(keys(*root.find("m")), ElementsAre("y", "b"));
  EXPECT_THAT(keys(get<Array>(root.find("l"))[0]), ElementsAre("q", "p"));
}

TEST(ParseToml, knows_the_folder_that_relative_paths_start_from) {
  const ConfigText file("a = 'x.npy'\n[[l]]\np = 'y.npy'\n");
  const Value root = file.parsed();
  EXPECT_EQ(root.find("a")->base_dir, file.folder());
  EXPECT_EQ(get<Array>(root.find("l"))[0].find("p")->base_dir, file.folder());
}

TEST(ParseToml, takes_an_empty_file_as_an_empty_table) {
  EXPECT_THAT(keys(test::parsed("")), ElementsAre());
}

TEST(ParseToml, reads_infinity_and_nan_as_numbers) {
  const Value root = test::parsed("a = inf\nb = nan\n");
  EXPECT_TRUE(std::isinf(get<double>(root.find("a"))));
  EXPECT_TRUE(std::isnan(get<double>(root.find("b"))));
}

TEST(ParseToml, says_usage_when_the_file_is_missing) {
  const auto message =
      message_of<UsageError>([] { parse_toml_file("/nowhere/at/all/problem.toml"); });
  EXPECT_THAT(message, AllOf(HasSubstr("/nowhere/at/all/problem.toml"), HasSubstr("no such file")));
}

TEST(ParseToml, says_usage_when_the_file_is_a_directory) {
  const test::TemporaryDirectory folder;
  const auto message = message_of<UsageError>([&] { parse_toml_file(folder.path().string()); });
  EXPECT_THAT(message, HasSubstr("is a directory"));
}

TEST(ParseToml, says_usage_when_the_file_may_not_be_read) {
  // Root may read everything; a link to itself is refused to everybody.
  const test::TemporaryDirectory folder;
  std::filesystem::create_symlink(folder.file("loop.toml"), folder.file("loop.toml"));
  const auto message = message_of<UsageError>([&] { parse_toml_file(folder.file("loop.toml")); });
  EXPECT_THAT(message, AllOf(HasSubstr("loop.toml"), HasSubstr("symbolic links")));
}

TEST(ParseToml, names_file_and_line_of_broken_text_in_one_line) {
  for (const char* text :
       {"a = 1\nb = \n", "a = 1\n[t\n", "a = 1\nb = 'x\n", "a = 1\na = 2\n", "a = 1\nb = 1.2.3\n",
        "a = 1\nb = 99999999999999999999\n", "a = 1\nb = \"\\q\"\n", "a = 1\nb = \x01\n",
        "a = 1\nb = \"\xff\"\n", "a = 1\nb = [1, 2\n", "a = 1\nb c = 2\n"}) {
    const ConfigText file(text);
    const auto message = message_of<ConfigError>([&] { (void)file.parsed(); });
    EXPECT_THAT(message, AllOf(HasSubstr(file.path() + ":"), HasSubstr("broken TOML"))) << text;
    EXPECT_THAT(message, Not(HasSubstr("\n"))) << text;
    EXPECT_THAT(message, Not(HasSubstr(file.line(1) + ":"))) << text;
  }
}

TEST(ParseToml, refuses_dates_by_their_line) {
  const ConfigText file("a = 1\nb = 2020-01-01\n");
  const auto message = message_of<ConfigError>([&] { (void)file.parsed(); });
  EXPECT_THAT(message, AllOf(HasSubstr(file.line(2)), HasSubstr("date")));
}

std::string repeated(const std::string& text, int count) {
  std::string result;
  for (int i = 0; i < count; ++i) result += text;
  return result;
}

TEST(ParseToml, refuses_a_depth_that_no_stack_would_hold_before_it_parses) {
  const int deep = 50'000;
  for (const std::string& text :
       {repeated("a.", deep) + "a = 1\n", "[" + repeated("a.", deep) + "a]\n",
        "x = {" + repeated("a . ", deep) + "a = 1}\n", repeated("\"a\".", deep) + "a = 1\n",
        "x = " + repeated("[", deep) + "\n", "x = " + repeated("{a = ", deep) + "\n",
        "x = 'it' # '\n" + repeated("a.", deep) + "a = 1\n"}) {
    const ConfigText file(text);
    EXPECT_THAT(message_of<ConfigError>([&] { (void)file.parsed(); }), HasSubstr("nested deeper"))
        << text.substr(0, 20);
  }
}

TEST(TooDeepLine, looks_behind_a_text_that_ends_with_quotes_of_its_own) {
  const std::string nested = ", {" + repeated("a.", 100) + "a = 1}]\n";
  for (const char quote : {'"', '\''}) {
    for (std::size_t own = 0; own <= 2; ++own) {
      const std::string text = std::string(3, quote) + "x" + std::string(3 + own, quote);
      EXPECT_EQ(too_deep_line("x = [" + text + nested), 1) << text;
      EXPECT_EQ(too_deep_line("x = [" + text + "]\n"), std::nullopt) << text;
    }
  }
}

TEST(ParseToml, takes_many_dots_and_brackets_where_they_do_not_nest) {
  const std::string dots = repeated("../", 200) + repeated("[{", 200);
  const Value root =
      test::parsed("a = \"" + dots + "\"  # " + dots + "\nb = '''\n" + dots + "'''\nc = '" + dots +
                   "'\nd = \"\"\"" + dots + "\\\"\"\"\"\ne = [" + repeated("[1.5], ", 200) + "]\n");
  for (const char* key : {"a", "b", "c"}) EXPECT_EQ(get<std::string>(root.find(key)), dots) << key;
  EXPECT_EQ(get<std::string>(root.find("d")), dots + "\"");
  EXPECT_EQ(std::get<Array>(root.find("e")->data).size(), 200u);
}

TEST(ParseToml, takes_text_from_a_pipe_with_paths_from_the_working_directory) {
  const test::TemporaryDirectory folder;
  const std::string path = folder.file("pipe");
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  const int both_ends = open(path.c_str(), O_RDWR);  // so that neither end waits
  ASSERT_GE(both_ends, 0);
  std::thread writer([&] {
    EXPECT_EQ(write(both_ends, "a = 1\n", 6), 6);
    close(both_ends);
  });
  const TomlFile file = read_toml_file(path);
  writer.join();
  EXPECT_EQ(file.text, "a = 1\n");
  EXPECT_EQ(file.root.find("a")->base_dir, std::filesystem::current_path().string());
}

TEST(ParseToml, says_usage_when_the_file_is_a_device) {
  EXPECT_THAT(message_of<UsageError>([] { parse_toml_file("/dev/zero"); }),
              HasSubstr("not a regular file"));
}

TEST(ParseToml, refuses_a_tree_deeper_than_any_configuration) {
  std::string key = "a";
  for (int i = 0; i < 200; ++i) key += ".a";
  const ConfigText file(key + " = 1\n");
  const auto message = message_of<ConfigError>([&] { (void)file.parsed(); });
  EXPECT_THAT(message, HasSubstr("nested deeper"));
}

TEST(Value, finds_children_of_tables_only) {
  Value root = test::parsed("a = 1\n[t]\n");
  EXPECT_EQ(root.find("b"), nullptr);
  EXPECT_NE(root.find("t"), nullptr);
  EXPECT_THROW((void)root.find("a")->find("x"), ValueError);
}

TEST(Value, names_its_type) {
  const Value root = test::parsed("a=true\nb=1\nc=1.0\nd=''\ne=[]\nf={}\n");
  std::vector<std::string> names;
  for (const auto& [key, value] : std::get<Table>(root.data)) names.push_back(value.type_name());
  EXPECT_THAT(names, ElementsAre("a boolean", "a whole number", "a number", "a string", "an array",
                                 "a table"));
}

}  // namespace
}  // namespace kantor::config
