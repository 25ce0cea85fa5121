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

/// @throws ConfigError with file:line for broken TOML or an unreadable file (a problem file that is
/// missing is a UsageError).
Value parse_toml_file(const std::string& path);

/// Applies "a.b.c=value" (value in TOML syntax; a bare word that is not valid TOML is taken as a
/// string). "marginals.0.path" style indices reach into arrays. @throws ConfigError.
void apply_setting(Value& root, const std::string& setting);

/// TOML text; each value is followed by "# origin".
std::string to_toml(const Value& root, bool with_origins);

}  // namespace kantor::config
