#pragma once

// Names with values, in the order they were given: what the JSON files of a run hold.
// nlohmann-json stays behind this header.

#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace kantor {

class Record {
 public:
  struct Value;
  struct Entry;

  /// Puts a value under a name, in the place of one that is there.
  /// @param meaning of the value, for who reads the code or a document made of it.
  /// @return good until the next name is added.
  Entry& set(const std::string& name, Value value, const char* meaning = "");
  /// Nothing for an absent value.
  template <class T>
  void set_if(const std::string& name, const std::optional<T>& value, const char* meaning = "");
  /// Nothing for what is not finite either: ratios to 0, logarithms of 0.
  void set_if_finite(const std::string& name, std::optional<double> value,
                     const char* meaning = "");

  /// By its name, or by those of the records around it: "certificate.dual_value". Null: none.
  const Value* find(const std::string& name) const;
  bool contains(const std::string& name) const { return find(name) != nullptr; }
  /// T: bool, std::int64_t, double (of an integer too), std::string, Record, or a vector of these.
  /// @throws DataError: not there, or of another kind.
  template <class T>
  T get(const std::string& name) const;
  /// Nothing if it is not there, or of another kind.
  template <class T>
  std::optional<T> find_as(const std::string& name) const;
  double number(const std::string& name) const { return get<double>(name); }

  const std::vector<Entry>& entries() const& { return entries_; }
  const std::vector<Entry>& entries() const&& = delete;  // a loop would outlive them
  bool empty() const { return entries_.empty(); }

  /// "certificate.dual_value is NaN": the first number that is not finite; "" if all are.
  std::string find_nonfinite() const;
  /// Numbers read back as the same double; bytes that are not UTF-8 are replaced.
  /// @param indent of each level; -1: all on one line.
  std::string json(int indent = 2) const;
  /// null is read as NaN. @throws DataError: not JSON, no object, or nested too deep.
  static Record parse(const std::string& json);

  bool operator==(const Record& other) const;

 private:
  [[noreturn]] void refuse(const std::string& name) const;

  std::vector<Entry> entries_;
};

struct Record::Value {
  using List = std::vector<Value>;
  std::variant<bool, std::int64_t, double, std::string, List, Record> data;

  Value(bool value) : data(value) {}
  Value(int value) : data(std::int64_t{value}) {}
  Value(std::int64_t value) : data(value) {}
  Value(double value) : data(value) {}
  Value(const char* value) : data(std::string(value)) {}
  Value(std::string value) : data(std::move(value)) {}
  Value(Record value) : data(std::move(value)) {}
  template <class T>
  Value(const std::vector<T>& values) : data(List(values.begin(), values.end())) {}

  /// Nothing if it is of another kind.
  template <class T>
  std::optional<T> as() const;
  std::string json() const;
  bool operator==(const Value& other) const { return data == other.data; }
};

struct Record::Entry {
  std::string name;
  Value value;
  std::string meaning = {};
  std::string before = {};  ///< where another record takes it in: before which of its names
};

template <class T>
std::optional<T> Record::Value::as() const {
  if constexpr (requires { typename T::allocator_type; } && !std::is_same_v<T, std::string>) {
    const auto* list = std::get_if<List>(&data);
    if (list == nullptr) return std::nullopt;
    T result;
    for (const Value& each : *list) {
      auto element = each.as<typename T::value_type>();
      if (!element) return std::nullopt;
      result.push_back(*std::move(element));
    }
    return result;
  } else {
    if constexpr (std::is_same_v<T, double>) {
      const auto* whole = std::get_if<std::int64_t>(&data);
      if (whole != nullptr) return static_cast<double>(*whole);
    }
    const auto* found = std::get_if<T>(&data);
    return found == nullptr ? std::nullopt : std::optional<T>(*found);
  }
}

template <class T>
std::optional<T> Record::find_as(const std::string& name) const {
  const Value* found = find(name);
  return found == nullptr ? std::nullopt : found->as<T>();
}

template <class T>
T Record::get(const std::string& name) const {
  auto value = find_as<T>(name);
  if (!value) refuse(name);
  return *std::move(value);
}

template <class T>
void Record::set_if(const std::string& name, const std::optional<T>& value, const char* meaning) {
  if (value) set(name, *value, meaning);
}

}  // namespace kantor
