#pragma once

// Typed configuration: a component's plain struct lists its fields once, in describe(); that list
// reads the tree, refuses unknown keys with the nearest known one and numbers out of their range,
// writes the resolved tree, names the origin of every value, and tells people of all keys.
//
//   struct SinkhornConfig {
//     double tolerance = 1e-3;
//     void describe(config::Fields& fields) {
//       fields.add("tolerance", tolerance, "L1 marginal error; 0 = run
//       max_iterations").at_least(0);
//     }
//     void check() const;   // rules between keys; throws ConfigError
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

/// What describe() says of a key.
struct Key {
  std::string table;  ///< "solver.sinkhorn"; arrays of tables without numbers
  std::string name;
  std::string type;   ///< "number"; tables: kTable, kOptionalTable, kTables
  std::string range;  ///< of numbers: "0 or more"
  std::string meaning;
  std::optional<Value> standard;     ///< the default; none of a table, or where one must be given
  std::vector<std::string> of = {};  ///< kinds of the table that have it so; all without any
};
inline constexpr const char* kTable = "table";
inline constexpr const char* kOptionalTable = "table, if given";
inline constexpr const char* kTables = "array of tables";

class Fields;

/// A field of numbers: each call narrows what it may hold, each number of a list alike.
/// @throws ConfigError naming the key, its origin, the value and what was expected.
class Range {
 public:
  Range(Fields& fields, const char* key, const char* meaning, std::vector<double> numbers)
      : fields_(fields), key_(key), meaning_(meaning), numbers_(std::move(numbers)) {}

  Range& at_least(double least);
  Range& at_most(double most);
  Range& above(double bound);
  Range& below(double bound);
  Range& between(double least, double most);  ///< both included
  /// The length of a list.
  Range& items(std::size_t fewest, std::size_t most);

 private:
  Range& narrow(const std::string& expected, bool holds);
  Range& narrow(const std::string& expected, const std::function<bool(double)>& holds);

  Fields& fields_;
  const char* key_;
  const char* meaning_;
  std::vector<double> numbers_;
};

/// Visits the fields of a struct. Every add() reads the key if it is present (ConfigError with
/// origin, value met and type expected otherwise), and records the resolved value.
class Fields {
 public:
  /// @param given    the table as the user wrote it; null if absent.
  /// @param path     "solver.sinkhorn", for messages.
  /// @param resolved receives every field with its origin.
  /// @param keys     if any: receives what describe() says of each key, of all that it knows.
  Fields(const Value* given, std::string path, Table& resolved, std::vector<Key>* keys = nullptr);

  void add(const char* key, bool& field, const char* meaning);
  /// 2e3 is accepted, as it is whole.
  Range add(const char* key, std::int64_t& field, const char* meaning);
  /// inf and nan are refused unless the default is one of them.
  Range add(const char* key, double& field, const char* meaning);
  void add(const char* key, std::string& field, const char* meaning);
  /// Lists; one value alone is a list of one. inf and nan as above.
  Range add(const char* key, std::vector<double>& field, const char* meaning);
  Range add(const char* key, std::vector<std::int64_t>& field, const char* meaning);
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
  /// A nested struct; its check(), if it has one, follows.
  template <class Struct>
  void add_struct(const char* key, Struct& field, const char* meaning) {
    add_table(key, meaning, [&](Fields& inner) { inner.read(field); });
  }
  template <class Struct>
  void add_optional(const char* key, std::optional<Struct>& field, const char* meaning) {
    if (!has(key) && !is_listing()) return known(key, kOptionalTable, meaning);
    field.emplace();
    nested(key, kOptionalTable, meaning, [&](Fields& inner) { inner.read(*field); });
  }
  /// An array of tables.
  template <class Struct>
  void add_list(const char* key, std::vector<Struct>& field, const char* meaning) {
    field.assign(list_size(key, meaning), Struct{});
    if (is_listing()) list_table(key, [](Fields& inner) { Struct{}.describe(inner); });
    for (std::size_t i = 0; i < field.size(); ++i) {
      list_item(key, i, [&](Fields& inner) { field[i].describe(inner); });
    }
  }
  /// For fields that take several forms (number or table, word or matrix): the raw value, or null.
  /// Read it with convert.hpp. It is recorded as it was given unless resolve_raw follows.
  /// @param type for people: "number or \"adaptive\"".
  const Value* raw(const char* key, const char* meaning, const char* type = "");
  /// Records the resolved form of a raw() field, with the origin of what was given.
  void resolve_raw(const char* key, Value value);

  bool has(const char* key) const;
  /// Nothing is read: keys that depend on others are to be named all.
  bool is_listing() const { return keys_ != nullptr; }
  /// A key that was listed elsewhere; only while listing.
  void list(Key key) { keys_->push_back(std::move(key)); }
  /// "solver.sinkhorn.tolerance (problem.toml:12)": how messages name a key.
  std::string where(const char* key) const;

  /// All of a Struct: what it describes and no other keys, then its check(), if it has one.
  template <class Struct>
  void read(Struct& whole) {
    whole.describe(*this);
    refuse_unknown();
    if constexpr (requires { whole.check(); }) {
      if (!is_listing()) whole.check();
    }
  }
  /// Refuses keys that no add() named. @throws ConfigError.
  void refuse_unknown() const;

 private:
  friend class Range;

  void known(const char* key, const std::string& type, const char* meaning);
  Key* listed(const char* key);               ///< null if nothing is listed
  const Value* given(const char* key) const;  ///< the value as written, or null
  /// Reads a field by `convert(value, where, meaning)` if it was given, and records it.
  template <class Type, class Convert>
  void add_value(const char* key, Type& field, const std::string& type, const char* meaning,
                 const Convert& convert);
  void record(const char* key, Value value);
  void nested(const char* key, const char* type, const char* meaning,
              const std::function<void(Fields&)>& describe);
  void list_table(const char* key, const std::function<void(Fields&)>& describe);
  std::size_t list_size(const char* key, const char* meaning);
  void list_item(const char* key, std::size_t index, const std::function<void(Fields&)>& describe);

  const Value* given_;
  std::string path_;
  Table& resolved_;
  std::vector<Key>* keys_;
  std::vector<std::string> known_;
};

/// Reads the table at a dotted path ("solver.sinkhorn") into a Struct with defaults, records the
/// result in `resolved` at the same path, refuses unknown keys and calls check(), if there is one.
template <class Struct>
Struct read(const Value& root, const std::string& path, Value& resolved);

/// Appends the keys of a Struct, with its defaults, and of the tables below it.
template <class Struct>
void list_keys(const std::string& path, std::vector<Key>& keys) {
  Struct defaults;
  Table ignored;
  Fields(nullptr, path, ignored, &keys).read(defaults);
}

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
  fields.read(result);
  return result;
}

}  // namespace kantor::config
