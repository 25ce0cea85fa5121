#include "runtime/config/value.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "runtime/core/error.hpp"
#include "runtime/core/text.hpp"

namespace kantor::config {
namespace {

bool is_bare_key(const std::string& key) {
  return !key.empty() && std::all_of(key.begin(), key.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  });
}

std::string quoted(const std::string& text) {
  if (!is_utf8(text)) {
    std::string shown = text;
    std::replace_if(
        shown.begin(), shown.end(),
        [](char c) { return static_cast<unsigned char>(c) >= 0x80 || c == '\n'; }, '?');
    throw ConfigError(concat("\"", shown, "\" is not UTF-8, which TOML needs; rename the file"));
  }
  std::string result = "\"";
  for (const char c : text) {
    const auto code = static_cast<unsigned>(static_cast<unsigned char>(c));
    if (c == '"' || c == '\\') {
      result += '\\';
      result += c;
    } else if (c == '\n') {
      result += "\\n";
    } else if (c == '\t') {
      result += "\\t";
    } else if (c == '\r') {
      result += "\\r";
    } else if (code < 0x20 || code == 0x7F) {
      std::array<char, 8> buffer{};
      std::snprintf(buffer.data(), buffer.size(), "\\u%04X", code);
      result += buffer.data();
    } else {
      result += c;
    }
  }
  return result + "\"";
}

std::string key_text(const std::string& key) { return is_bare_key(key) ? key : quoted(key); }

/// TOML tells numbers apart by their looks: 2 is whole, 2.0 is not.
std::string number_text(double value) {
  const std::string text = format_number(value);
  const bool looks_whole = text.find_first_not_of("-0123456789") == std::string::npos;
  return looks_whole ? text + ".0" : text;
}

struct Inline {
  std::string operator()(bool value) const { return value ? "true" : "false"; }
  std::string operator()(std::int64_t value) const { return std::to_string(value); }
  std::string operator()(double value) const { return number_text(value); }
  std::string operator()(const std::string& value) const { return quoted(value); }
  std::string operator()(const Array& items) const {
    std::vector<std::string> words;
    for (const Value& item : items) words.push_back(to_toml_inline(item));
    return "[" + join(words) + "]";
  }
  std::string operator()(const Table& entries) const {
    if (entries.empty()) return "{}";
    std::vector<std::string> words;
    for (const auto& [key, value] : entries) {
      words.push_back(key_text(key) + " = " + to_toml_inline(value));
    }
    return "{ " + join(words) + " }";
  }
};

bool is_list_of_tables(const Value& value) {
  const auto* items = std::get_if<Array>(&value.data);
  return items != nullptr && !items->empty() &&
         std::all_of(items->begin(), items->end(),
                     [](const Value& item) { return item.is_table(); });
}

/// Written under a heading of its own rather than behind "key = ".
bool is_block(const Value& value) { return value.is_table() || is_list_of_tables(value); }

std::string comment_text(std::string origin) {
  std::replace_if(
      origin.begin(), origin.end(),
      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }, '?');
  return is_utf8(origin) ? origin : "a file whose name is not UTF-8";
}

void write_entries(const Table& entries, const std::string& path, bool with_origins,
                   std::string& out) {
  // Values first: behind a heading they would belong to that heading's table.
  for (const auto& [key, value] : entries) {
    if (is_block(value)) continue;
    out += key_text(key) + " = " + to_toml_inline(value);
    if (with_origins) out += "  # " + comment_text(value.origin);
    out += '\n';
  }
  for (const auto& [key, value] : entries) {
    if (!is_block(value)) continue;
    const std::string inner_path = path.empty() ? key_text(key) : path + "." + key_text(key);
    if (const auto* table = std::get_if<Table>(&value.data)) {
      const bool only_blocks =
          !table->empty() && std::all_of(table->begin(), table->end(),
                                         [](const auto& entry) { return is_block(entry.second); });
      if (!only_blocks) out += "\n[" + inner_path + "]\n";
      write_entries(*table, inner_path, with_origins, out);
      continue;
    }
    for (const Value& item : std::get<Array>(value.data)) {
      out += "\n[[" + inner_path + "]]\n";
      write_entries(std::get<Table>(item.data), inner_path, with_origins, out);
    }
  }
}

}  // namespace

const Value* Value::find(const std::string& key) const {
  KANTOR_CHECK(is_table(), "looked for key ", key, " in ", type_name());
  for (const auto& [name, value] : std::get<Table>(data)) {
    if (name == key) return &value;
  }
  return nullptr;
}

Value* Value::find(const std::string& key) {
  return const_cast<Value*>(static_cast<const Value&>(*this).find(key));
}

std::string Value::type_name() const {
  static constexpr std::array<const char*, 6> kNames = {"a boolean", "a whole number", "a number",
                                                        "a string",  "an array",       "a table"};
  return kNames.at(data.index());
}

std::string to_toml(const Value& root, bool with_origins) {
  KANTOR_CHECK(root.is_table(), "the root of a configuration is ", root.type_name());
  std::string out;
  write_entries(std::get<Table>(root.data), "", with_origins, out);
  if (out.starts_with('\n')) out.erase(0, 1);
  return out;
}

std::string to_toml_inline(const Value& value) { return std::visit(Inline{}, value.data); }

}  // namespace kantor::config
