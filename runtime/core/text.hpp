#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kantor {

/// The candidate that `word` is most likely a misspelling of: the smallest edit distance
/// (insertion, deletion, substitution, swap of neighbours; upper and lower case are the same), the
/// first of equals. "" if none is within a third of the longer word's letters (at least one).
std::string nearest(std::string_view word, std::span<const std::string> candidates);

/// "a, b, c".
std::string join(std::span<const std::string> words, std::string_view separator = ", ");

/// Bytes as "1.5 MB" (1 MB = 1e6 bytes), seconds as "2 min 05 s".
std::string format_bytes(double bytes);
std::string format_seconds(double seconds);

/// Shortest decimal that reads back as the same double; "nan", "inf", "-inf" otherwise.
std::string format_number(double value);

/// So many significant digits, as "%.7g" does.
std::string format_digits(double value, int digits);

/// Whether the bytes are valid UTF-8 (no overlong forms, no surrogates).
bool is_utf8(std::string_view bytes);

}  // namespace kantor
