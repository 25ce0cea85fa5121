#include <toml++/toml.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <optional>
#include <string_view>

#include "runtime/config/toml_depth.hpp"
#include "runtime/config/toml_file.hpp"
#include "runtime/config/value.hpp"
#include "runtime/core/error.hpp"
#include "runtime/core/text.hpp"
#include "runtime/core/text_file.hpp"

namespace kantor::config {
namespace {

/// Where the values of one text come from.
struct Source {
  std::string name;  ///< "problem.toml", "--set"
  bool has_lines;    ///< origin is "name:line"
  std::string base_dir;

  std::string origin(const toml::source_region& region) const {
    return has_lines && region.begin.line > 0 ? concat(name, ":", region.begin.line) : name;
  }
};

Value convert(const toml::node& node, const Source& source, int depth);

Table convert_table(const toml::table& table, const Source& source, int depth) {
  // toml++ keeps keys sorted by name; bring them back into the order of the file.
  std::vector<std::pair<const toml::key*, const toml::node*>> entries;
  for (const auto& [key, node] : table) entries.emplace_back(&key, &node);
  std::stable_sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
    return a.first->source().begin < b.first->source().begin;
  });
  Table result;
  for (const auto& [key, node] : entries) {
    result.emplace_back(std::string(key->str()), convert(*node, source, depth + 1));
  }
  return result;
}

Value convert(const toml::node& node, const Source& source, int depth) {
  Value result{false, source.origin(node.source()), source.base_dir};
  if (depth > kMaxDepth) {
    throw ConfigError(concat(result.origin, ": nested deeper than ", kMaxDepth, " levels"));
  }
  if (const auto* table = node.as_table()) {
    result.data = convert_table(*table, source, depth);
  } else if (const auto* array = node.as_array()) {
    Array items;
    for (const toml::node& item : *array) items.push_back(convert(item, source, depth + 1));
    result.data = std::move(items);
  } else if (const auto* text = node.as_string()) {
    result.data = text->get();
  } else if (const auto* whole = node.as_integer()) {
    result.data = whole->get();
  } else if (const auto* number = node.as_floating_point()) {
    result.data = number->get();
  } else if (const auto* flag = node.as_boolean()) {
    result.data = flag->get();
  } else {
    throw ConfigError(concat(
        result.origin, ": a date or time stands where none is known; quote it if it is text"));
  }
  return result;
}

/// The parser's own words, on one line.
std::string one_line(std::string_view text) {
  std::string result(text);
  std::replace_if(
      result.begin(), result.end(),
      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }, ' ');
  return result;
}

std::string read_text(const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (status.type() == fs::file_type::not_found) {
    throw UsageError(concat("cannot open ", path, ": no such file; give a problem file in TOML"));
  }
  if (status.type() == fs::file_type::directory) {
    throw UsageError(concat("cannot read ", path, ": it is a directory, expected a TOML file"));
  }
  try {
    return read_whole_text(path, Pipes::read);
  } catch (const DataError& failure) {
    throw UsageError(concat(failure.what(), "; expected a TOML file"));
  }
}

/// The folder of the file; the working directory for what comes through a pipe, which lies nowhere.
std::string folder_of(const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  const bool is_file = fs::is_regular_file(path, ignored) && !path.starts_with("/dev/");
  return (is_file ? fs::absolute(path).parent_path() : fs::current_path()).string();
}

toml::table parse(const std::string& text, const std::string& name) {
  if (const auto line = too_deep_line(text)) {
    throw ConfigError(concat(name, ":", *line, ": nested deeper than ", kMaxDepth, " levels"));
  }
  return toml::parse(text, name);
}

std::string trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  const auto begin = text.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) return "";
  return std::string(text.substr(begin, text.find_last_not_of(kBlank) - begin + 1));
}

/// ".5" and "5.", which people write and TOML does not know.
std::optional<double> loose_number(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  const bool looks_right = text.find('.') != std::string_view::npos &&
                           text.find_first_not_of("0123456789.eE+-") == std::string_view::npos;
  double value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (!looks_right || error != std::errc() || stop != end) return std::nullopt;
  return value;
}

Value setting_value(const std::string& setting, const std::string& text, const Source& source) {
  if (text.empty()) {
    throw ConfigError(
        concat("--set ", setting, ": no value behind '='; an empty string is written \"\""));
  }
  const auto fail = [&](std::string_view reason) {
    throw ConfigError(concat("--set ", one_line(setting), ": ", one_line(reason)));
  };
  try {
    const toml::table parsed = parse("value = " + text, "--set");
    if (parsed.size() != 1) fail("more than one value; give --set once for each");
    const toml::node& node = *parsed.get("value");
    const bool is_date = node.is_date() || node.is_time() || node.is_date_time();
    if (!is_date) return convert(node, source, 0);
  } catch (const toml::parse_error& error) {
    // What opens like a string, list or table was meant as one; anything else is a bare word.
    if (std::string_view("\"'[{").find(text.front()) != std::string_view::npos) {
      fail(concat("not a TOML value: ", error.description()));
    }
  }
  if (const auto number = loose_number(text)) return {*number, source.name, source.base_dir};
  if (!is_utf8(text) || one_line(text) != text) fail("the value is not printable UTF-8");
  return {text, source.name, source.base_dir};
}

std::vector<std::string> setting_path(const std::string& setting, const std::string& path) {
  std::vector<std::string> parts(1);
  for (const char c : path) {
    if (c == '.') {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  if (parts.size() > kMaxDepth) {
    throw ConfigError(
        concat("--set: a key of ", parts.size(), " parts, expected ", kMaxDepth, " at most"));
  }
  for (const std::string& part : parts) {
    const bool is_key = std::all_of(part.begin(), part.end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
             c == '_' || c == '-';
    });
    if (part.empty() || !is_key) {
      throw ConfigError(concat("--set ", one_line(setting), ": expected KEY.KEY=VALUE, got \"",
                               one_line(part), "\" as a key"));
    }
  }
  return parts;
}

/// The child named by one part of a --set path; made as an empty table where it is missing.
Value& descend(Value& parent, const std::string& part, const std::string& parent_path,
               const Source& source) {
  if (auto* items = std::get_if<Array>(&parent.data)) {
    std::size_t index = 0;
    const char* end = part.data() + part.size();
    const auto [stop, error] = std::from_chars(part.data(), end, index);
    if (error != std::errc() || stop != end || index >= items->size()) {
      throw ConfigError(concat("--set: ", parent_path, " (", parent.origin, ") is an array of ",
                               items->size(), ", expected an index from 0 below that, got \"", part,
                               "\"; give the whole array to add to it"));
    }
    return (*items)[index];
  }
  if (!parent.is_table()) {
    throw ConfigError(concat("--set: ", parent_path, " (", parent.origin, ") is ",
                             parent.type_name(), ", so it has no key \"", part, "\"; set ",
                             parent_path, " as a whole"));
  }
  if (Value* child = parent.find(part)) return *child;
  auto& entries = std::get<Table>(parent.data);
  return entries.emplace_back(part, Value{Table{}, source.name, source.base_dir}).second;
}

/// @throws ConfigError with file:line.
Value parse_as(const std::string& text, const Source& source) {
  try {
    return {convert_table(parse(text, source.name), source, 0), source.name, source.base_dir};
  } catch (const toml::parse_error& error) {
    throw ConfigError(
        concat(source.origin(error.source()), ": broken TOML: ", one_line(error.description())));
  }
}

}  // namespace

Value parse_toml_file(const std::string& path) { return read_toml_file(path).root; }

TomlFile read_toml_file(const std::string& path) {
  std::string text = read_text(path);
  Value root = parse_as(text, {path, true, folder_of(path)});
  return {std::move(text), std::move(root)};
}

Value parse_toml(const std::string& text, const std::string& name) {
  return parse_as(text, {name, true, ""});
}

void apply_setting(Value& root, const std::string& setting) {
  const auto equals = setting.find('=');
  if (equals == std::string::npos) {
    throw ConfigError(
        concat("--set ", one_line(setting), ": expected KEY.KEY=VALUE, no '=' found"));
  }
  const Source source{"--set", false, std::filesystem::current_path().string()};
  const auto parts = setting_path(setting, trimmed(setting.substr(0, equals)));
  Value value = setting_value(setting, trimmed(setting.substr(equals + 1)), source);
  Value* target = &root;
  std::string path;
  for (const std::string& part : parts) {
    target = &descend(*target, part, path.empty() ? "the root" : path, source);
    path += path.empty() ? part : "." + part;
  }
  *target = std::move(value);
}

}  // namespace kantor::config
