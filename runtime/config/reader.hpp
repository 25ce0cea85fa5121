#pragma once

// Typed configuration: a component's plain struct lists its fields once, in describe(); that list
// reads the tree, refuses unknown keys with the nearest known one, writes the resolved tree, and
// names the origin of every value.
//
//   struct SinkhornConfig {
//     double tolerance = 1e-3;
//     void describe(config::Fields& fields) {
//       fields.add("tolerance", tolerance, "L1 marginal error; 0 = run max_iterations");
//     }
//     void check() const;   // throws ConfigError
//   };
//   auto sinkhorn = config::read<SinkhornConfig>(root, "solver.sinkhorn", resolved);

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "runtime/config/convert.hpp"
#include "runtime/config/value.hpp"

namespace kantor::config {

/// Visits the fields of a struct. Every add() reads the key if it is present (ConfigError with
/// origin, value met and type expected otherwise), and records the resolved value.
class Fields {
 public:
  /// @param given    the table as the user wrote it; null if absent.
  /// @param path     "solver.sinkhorn", for messages.
  /// @param resolved receives every field with its origin.
  Fields(const Value* given, std::string path, Table& resolved);

  void add(const char* key, bool& field, const char* meaning);
  /// 2e3 is accepted, as it is whole.
  void add(const char* key, std::int64_t& field, const char* meaning);
  /// inf and nan are refused unless the default is one of them.
  void add(const char* key, double& field, const char* meaning);
  void add(const char* key, std::string& field, const char* meaning);
  /// Lists; one value alone is a list of one.
  void add(const char* key, std::vector<double>& field, const char* meaning);
  void add(const char* key, std::vector<std::int64_t>& field, const char* meaning);
  void add(const char* key, std::vector<std::string>& field, const char* meaning);
  /// A file name: made absolute against the folder of the file that names it (--set: the working
  /// directory).
  void add_path(const char* key, std::string& field, const char* meaning);
  /// One of a fixed list of words. @throws ConfigError naming the nearest one.
  void add_choice(const char* key, std::string& field, const std::vector<std::string>& choices,
                  const char* meaning);

  /// A nested table.
  void add_table(const char* key, const char* meaning,
                 const std::function<void(Fields&)>& describe);
  /// A nested struct.
  template <class Struct>
  void add_struct(const char* key, Struct& field, const char* meaning) {
    add_table(key, meaning, [&](Fields& inner) { field.describe(inner); });
  }
  template <class Struct>
  void add_optional(const char* key, std::optional<Struct>& field, const char* meaning) {
    if (!has(key)) return known(key);
    field.emplace();
    add_struct(key, *field, meaning);
  }
  /// An array of tables.
  template <class Struct>
  void add_list(const char* key, std::vector<Struct>& field, const char* meaning) {
    field.assign(list_size(key, meaning), Struct{});
    for (std::size_t i = 0; i < field.size(); ++i) {
      list_item(key, i, [&](Fields& inner) { field[i].describe(inner); });
    }
  }
  /// For fields that take several forms (number or table, word or matrix): the raw value, or null.
  /// Read it with convert.hpp. It is recorded as it was given unless resolve_raw follows.
  const Value* raw(const char* key, const char* meaning);
  /// Records the resolved form of a raw() field, with the origin of what was given.
  void resolve_raw(const char* key, Value value);

  bool has(const char* key) const;
  /// "solver.sinkhorn.tolerance (problem.toml:12)": how messages name a key.
  std::string where(const char* key) const;

  /// Refuses keys that no add() named. Called by read() and by nested structs. @throws ConfigError.
  void refuse_unknown() const;

 private:
  void known(const char* key);
  const Value* given(const char* key) const;  ///< the value as written, or null
  /// Reads a field by `convert(value, where, meaning)` if it was given, and records it.
  template <class Type, class Convert>
  void add_value(const char* key, Type& field, const char* meaning, const Convert& convert);
  void record(const char* key, Value value);
  std::size_t list_size(const char* key, const char* meaning);
  void list_item(const char* key, std::size_t index, const std::function<void(Fields&)>& describe);

  const Value* given_;
  std::string path_;
  Table& resolved_;
  std::vector<std::string> known_;
};

/// Reads the table at a dotted path ("solver.sinkhorn") into a Struct with defaults, records the
/// result in `resolved` at the same path, refuses unknown keys and calls check().
template <class Struct>
Struct read(const Value& root, const std::string& path, Value& resolved);

/// Refuses keys of the table at `path` ("" = the root) that are not in `known`. @throws
/// ConfigError.
void refuse_unknown_keys(const Value& root, const std::string& path,
                         const std::vector<std::string>& known);

/// Pieces of read(). The table at a dotted path; null if absent; ConfigError if it is not a table.
const Value* table_at(const Value& root, const std::string& path);
Table& make_table_at(Value& root, const std::string& path);

template <class Struct>
Struct read(const Value& root, const std::string& path, Value& resolved) {
  Struct result;
  Fields fields(table_at(root, path), path, make_table_at(resolved, path));
  result.describe(fields);
  fields.refuse_unknown();
  result.check();
  return result;
}

}  // namespace kantor::config
