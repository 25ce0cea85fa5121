// kantor keys: what may stand in a problem file, from the lists of fields that read it.

#include <algorithm>
#include <iostream>

#include "launch/verbs.hpp"
#include "runtime/core/error.hpp"
#include "runtime/core/text.hpp"
#include "solvers/registry.hpp"

namespace kantor::launch {
namespace {

constexpr std::size_t kWidth = 80;

std::string path_of(const config::Key& key) {
  return key.table.empty() ? key.name : concat(key.table, ".", key.name);
}

bool is_table(const config::Key& key) {
  return key.type == config::kTable || key.type == config::kOptionalTable ||
         key.type == config::kTables;
}

/// Lines of at most kWidth columns, broken at blanks.
std::string wrapped(const std::string& text, std::size_t indent) {
  const std::string margin(indent, ' ');
  std::string lines = margin;
  std::size_t column = indent;
  std::size_t begin = 0;
  while (begin < text.size()) {
    const std::size_t end = std::min(text.find(' ', begin), text.size());
    const std::size_t length = end - begin;
    if (column > indent && column + 1 + length > kWidth) {
      lines += "\n" + margin;
      column = indent;
    }
    if (column > indent) lines += " ";
    lines += text.substr(begin, length);
    column += length + (column > indent ? 1 : 0);
    begin = end + 1;
  }
  return lines + "\n";
}

/// "tolerance = 0.001           number, 0 or more", and what it means.
std::string described(const config::Key& key) {
  const std::string meaning =
      concat(key.meaning, key.of.empty() ? "" : "; of kind " + join(key.of));
  if (is_table(key)) {
    return concat(key.name, ": ", key.type, "\n",
                  wrapped(concat(meaning, "; see `kantor keys ", path_of(key), '`'), 4));
  }
  constexpr std::size_t kFirstColumn = 30;
  std::string line =
      key.standard ? concat(key.name, " = ", config::to_toml_inline(*key.standard)) : key.name;
  const std::string type = concat(key.type, key.range.empty() ? "" : ", ", key.range);
  line.resize(std::max(kFirstColumn, line.size() + 2), ' ');
  if (line.size() + type.size() > kWidth) {
    return concat(line.substr(0, line.find_last_not_of(' ') + 1), "\n", wrapped(type, 4),
                  wrapped(meaning, 4));
  }
  return concat(line, type, "\n", wrapped(meaning, 4));
}

/// All tables, a line each.
std::string overview(const std::vector<config::Key>& keys) {
  constexpr std::size_t kFirstColumn = 31;
  std::string text;
  for (const config::Key& key : keys) {
    if (!is_table(key)) continue;
    std::string line = path_of(key);
    line.resize(std::max(kFirstColumn, line.size() + 2), ' ');
    text += concat(line, key.meaning, "\n");
  }
  return text + "\n`kantor keys TABLE` tells the keys of one of them.\n";
}

}  // namespace

int keys(const KeysArguments& arguments) {
  const std::vector<config::Key> all = known_keys();
  if (arguments.table.empty()) {
    std::cout << overview(all) << std::flush;
    return 0;
  }
  std::string text;
  std::vector<std::string> tables;
  for (const config::Key& key : all) {
    if (is_table(key)) tables.push_back(path_of(key));
    if (key.table == arguments.table) text += described(key);
  }
  if (text.empty()) {
    const std::string guess = nearest(arguments.table, tables);
    throw UsageError(concat(
        "there is no table ", arguments.table, "; ",
        guess.empty() ? concat("known are ", join(tables)) : concat("did you mean ", guess, "?")));
  }
  std::cout << text << std::flush;
  return 0;
}

}  // namespace kantor::launch
