#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kantor {

/// The candidate with the smallest edit distance to `word`, or "" if none is near.
std::string nearest(std::string_view word, std::span<const std::string> candidates);

/// "a, b, c".
std::string join(std::span<const std::string> words, std::string_view separator = ", ");

/// Bytes as "1.5 MB", seconds as "2 min 05 s".
std::string format_bytes(double bytes);
std::string format_seconds(double seconds);

/// Shortest decimal that reads back as the same double; "nan", "inf", "-inf" otherwise.
std::string format_number(double value);

}  // namespace kantor
