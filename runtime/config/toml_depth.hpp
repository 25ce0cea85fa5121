#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace kantor::config {

/// Far beyond any configuration. The parser of TOML and all that walks its tree recurse.
inline constexpr int kMaxDepth = 64;

/// The line (from 1) in which a TOML text opens more than kMaxDepth brackets, or gives a key more
/// than kMaxDepth parts (a.b.c ..): to be asked before it is parsed. Strings and comments are
/// passed over; whether the text is TOML at all is not looked at.
std::optional<std::size_t> too_deep_line(std::string_view text);

}  // namespace kantor::config
