#pragma once

// Typed readings of one value. For Fields, and for components whose keys take several forms:
//
//   if (const Value* given = fields.raw("edge_weight", "one, or one per edge")) {
//     weights = config::as_numbers(*given, fields.where("edge_weight"));
//   }

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/config/value.hpp"

namespace kantor::config {

/// Each takes `where`, the name of the key with its origin, and optionally what the key means.
/// @throws ConfigError "where = VALUE: expected a number (meaning)".
bool as_bool(const Value& value, const std::string& where, const char* meaning = "");
/// 2e3 is accepted, as it is whole.
std::int64_t as_integer(const Value& value, const std::string& where, const char* meaning = "");
/// Finite: inf and nan are refused.
double as_number(const Value& value, const std::string& where, const char* meaning = "");
/// inf and nan included.
double as_any_number(const Value& value, const std::string& where, const char* meaning = "");
std::string as_text(const Value& value, const std::string& where, const char* meaning = "");

/// Lists; one value alone is a list of one.
std::vector<std::int64_t> as_integers(const Value& value, const std::string& where,
                                      const char* meaning = "");
std::vector<double> as_numbers(const Value& value, const std::string& where,
                               const char* meaning = "");
std::vector<double> as_any_numbers(const Value& value, const std::string& where,
                                   const char* meaning = "");
std::vector<std::string> as_texts(const Value& value, const std::string& where,
                                  const char* meaning = "");
/// An array of arrays of equal length. [rows][columns]
std::vector<std::vector<double>> as_matrix(const Value& value, const std::string& where,
                                           const char* meaning = "");

/// A file name made absolute against the value's base_dir; "" stays "".
std::string as_path(const Value& value, const std::string& where, const char* meaning = "");

/// "where = VALUE: expected EXPECTED (meaning)".
[[noreturn]] void throw_unexpected(const Value& value, const std::string& where,
                                   const std::string& expected, const char* meaning);

/// Resolved forms, ready for Fields::resolve_raw.
Value make_value(const std::vector<double>& numbers);
Value make_value(const std::vector<std::int64_t>& numbers);
Value make_value(const std::vector<std::string>& words);
Value make_value(const std::vector<std::vector<double>>& matrix);

}  // namespace kantor::config
