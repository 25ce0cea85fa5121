#include "runtime/config/convert.hpp"

#include <cmath>
#include <filesystem>

#include "runtime/core/error.hpp"
#include "runtime/core/shortened.hpp"
#include "runtime/core/text.hpp"

namespace kantor::config {
namespace {

/// Calls read(item, where) for every item of an array, or for the one value.
template <class Item, class Read>
std::vector<Item> list_of(const Value& value, const std::string& where, const Read& read) {
  const auto* items = std::get_if<Array>(&value.data);
  if (items == nullptr) return {read(value, where)};
  std::vector<Item> result;
  for (std::size_t i = 0; i < items->size(); ++i) {
    result.push_back(read((*items)[i], concat(where, ", entry ", i)));
  }
  return result;
}

template <class Item>
Value array_value(const std::vector<Item>& items) {
  Array array;
  for (const Item& item : items) array.push_back(Value{item, "", ""});
  return {std::move(array), "", ""};
}

/// The value as the user wrote it, short enough for one line.
std::string shown(const Value& value) { return shortened(to_toml_inline(value), 60); }

}  // namespace

void throw_unexpected(const Value& value, const std::string& where, const std::string& expected,
                      const char* meaning) {
  std::string message = concat(where, " = ", shown(value), ": expected ", expected);
  if (meaning != nullptr && *meaning != '\0') message += concat(" (", meaning, ")");
  throw ConfigError(message);
}

bool as_bool(const Value& value, const std::string& where, const char* meaning) {
  if (const auto* flag = std::get_if<bool>(&value.data)) return *flag;
  throw_unexpected(value, where, "true or false", meaning);
}

std::int64_t as_integer(const Value& value, const std::string& where, const char* meaning) {
  if (const auto* whole = std::get_if<std::int64_t>(&value.data)) return *whole;
  const auto* number = std::get_if<double>(&value.data);
  constexpr double kLimit = 9223372036854775808.0;  // 2^63, exact in double
  if (number == nullptr || std::trunc(*number) != *number || !(std::abs(*number) < kLimit)) {
    throw_unexpected(value, where, "a whole number", meaning);
  }
  return static_cast<std::int64_t>(*number);
}

double as_any_number(const Value& value, const std::string& where, const char* meaning) {
  if (const auto* number = std::get_if<double>(&value.data)) return *number;
  if (const auto* whole = std::get_if<std::int64_t>(&value.data)) {
    return static_cast<double>(*whole);
  }
  throw_unexpected(value, where, "a number", meaning);
}

double as_number(const Value& value, const std::string& where, const char* meaning) {
  const double number = as_any_number(value, where, meaning);
  if (!std::isfinite(number)) throw_unexpected(value, where, "a finite number", meaning);
  return number;
}

std::string as_text(const Value& value, const std::string& where, const char* meaning) {
  if (const auto* text = std::get_if<std::string>(&value.data)) return *text;
  const bool is_scalar = !value.is_table() && !std::holds_alternative<Array>(value.data);
  const bool lost_quotes = is_scalar && value.origin == "--set";
  throw_unexpected(
      value, where,
      lost_quotes ? concat("a string; quote it: '\"", to_toml_inline(value), "\"'") : "a string",
      meaning);
}

std::vector<std::int64_t> as_integers(const Value& value, const std::string& where,
                                      const char* meaning) {
  return list_of<std::int64_t>(value, where, [&](const Value& item, const std::string& place) {
    return as_integer(item, place, meaning);
  });
}

std::vector<double> as_numbers(const Value& value, const std::string& where, const char* meaning) {
  return list_of<double>(value, where, [&](const Value& item, const std::string& place) {
    return as_number(item, place, meaning);
  });
}

std::vector<double> as_any_numbers(const Value& value, const std::string& where,
                                   const char* meaning) {
  return list_of<double>(value, where, [&](const Value& item, const std::string& place) {
    return as_any_number(item, place, meaning);
  });
}

std::vector<std::string> as_texts(const Value& value, const std::string& where,
                                  const char* meaning) {
  return list_of<std::string>(value, where, [&](const Value& item, const std::string& place) {
    return as_text(item, place, meaning);
  });
}

std::vector<std::vector<double>> as_matrix(const Value& value, const std::string& where,
                                           const char* meaning) {
  const char* expected = "an array of rows of equal length, [[1, 2], [3, 4]]";
  const auto* rows = std::get_if<Array>(&value.data);
  if (rows == nullptr || rows->empty()) throw_unexpected(value, where, expected, meaning);
  std::vector<std::vector<double>> result;
  for (std::size_t i = 0; i < rows->size(); ++i) {
    const Value& row = (*rows)[i];
    if (!std::holds_alternative<Array>(row.data)) {
      throw_unexpected(value, where, expected, meaning);
    }
    result.push_back(as_numbers(row, concat(where, ", row ", i), meaning));
    if (result.back().size() != result.front().size()) {
      throw_unexpected(value, where, expected, meaning);
    }
  }
  return result;
}

std::string as_path(const Value& value, const std::string& where, const char* meaning) {
  std::string text = as_text(value, where, meaning);
  if (text.empty()) return text;
  const std::filesystem::path path(text);
  if (path.is_absolute()) return path.lexically_normal().string();
  const std::filesystem::path base = value.base_dir.empty() ? std::filesystem::current_path()
                                                            : std::filesystem::path(value.base_dir);
  std::string result = (base / path).lexically_normal().string();
  if (!is_utf8(result)) {
    throw ConfigError(concat(where, " = ", shown(value),
                             ": the folder it is relative to has a name that is not UTF-8, which "
                             "resolved.toml cannot hold; rename the folder"));
  }
  return result;
}

Value make_value(const std::vector<double>& numbers) { return array_value(numbers); }
Value make_value(const std::vector<std::int64_t>& numbers) { return array_value(numbers); }
Value make_value(const std::vector<std::string>& words) { return array_value(words); }
Value make_value(const std::vector<std::vector<double>>& matrix) {
  Array rows;
  for (const auto& row : matrix) rows.push_back(make_value(row));
  return {std::move(rows), "", ""};
}

}  // namespace kantor::config
