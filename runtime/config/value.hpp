#pragma once

// A configuration tree: what TOML and --set say, with the origin of every value.

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace kantor::config {

struct Value;
using Array = std::vector<Value>;
/// Keys in the order they were given.
using Table = std::vector<std::pair<std::string, Value>>;

struct Value {
  std::variant<bool, std::int64_t, double, std::string, Array, Table> data;
  std::string origin;    ///< "problem.toml:12", "--set", "default"
  std::string base_dir;  ///< folder that relative paths in this value start from

  bool is_table() const { return std::holds_alternative<Table>(data); }
  /// The child of this name, or null. Only for tables.
  const Value* find(const std::string& key) const;
  Value* find(const std::string& key);
  std::string type_name() const;  ///< "a string", "a table", ...
};

/// Reads a file. Keys keep the order of the file; each value's origin is "path:line", with the path
/// as it was given.
/// @throws UsageError if the file is missing, a directory, or may not be read; IoError if reading
/// breaks off; ConfigError with file:line for broken TOML (dates and times included: nothing here
/// takes one).
Value parse_toml_file(const std::string& path);

/// The same of text that was read elsewhere. @param name for origins. @throws ConfigError.
Value parse_toml(const std::string& text, const std::string& name);

/// Applies "a.b.c=value": the last one wins, and a table or array given here replaces the whole
/// earlier value. The value is in TOML syntax; a bare word that is not (or is a date) is taken as a
/// string, and ".5" or "5." as a number. "marginals.0.path" style indices reach into arrays.
/// @throws ConfigError.
void apply_setting(Value& root, const std::string& setting);

/// TOML text that parses back to the same tree; each value is followed by "# origin" if asked.
/// @throws ConfigError for a string that is not UTF-8, which TOML cannot hold.
std::string to_toml(const Value& root, bool with_origins);

/// One value on one line, as it would stand behind "key = ".
std::string to_toml_inline(const Value& value);

}  // namespace kantor::config
