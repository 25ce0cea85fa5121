#include "runtime/config/toml_depth.hpp"

#include <algorithm>

namespace kantor::config {
namespace {

/// Position behind a string that opens at `at`; the end of the text if it does not close.
std::size_t behind_string(std::string_view text, std::size_t at) {
  const char quote = text[at];
  const std::string_view three = quote == '"' ? "\"\"\"" : "'''";
  const bool is_long = text.substr(at).starts_with(three);
  const std::size_t quotes = is_long ? 3 : 1;
  for (at += quotes; at < text.size(); ++at) {
    if (text[at] == '\\' && quote == '"') {
      ++at;
    } else if (text[at] == '\n' && !is_long) {
      return at;  // broken: the parser will say so
    } else if (text[at] == quote && (!is_long || text.substr(at).starts_with(three))) {
      at += quotes;
      // Up to two quotes right before the last three are of the text.
      for (int i = 0; is_long && i < 2 && text.substr(at).starts_with(quote); ++i) ++at;
      return at;
    }
  }
  return text.size();
}

bool goes_on_with_key(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-' || c == ' ' || c == '\t';
}

}  // namespace

std::optional<std::size_t> too_deep_line(std::string_view text) {
  int brackets = 0;
  int dots = 0;  // of the key that is being read
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '"' || c == '\'') {
      at = behind_string(text, at) - 1;
      continue;
    }
    if (c == '#') at = std::min(text.find('\n', at), text.size() - 1);
    if (c == '[' || c == '{') ++brackets;
    if (c == ']' || c == '}') brackets = std::max(brackets - 1, 0);
    if (c == '.') ++dots;
    if (c != '.' && !goes_on_with_key(c)) dots = 0;
    if (brackets > kMaxDepth || dots >= kMaxDepth) {
      const std::string_view before = text.substr(0, at);
      return 1 + static_cast<std::size_t>(std::count(before.begin(), before.end(), '\n'));
    }
  }
  return std::nullopt;
}

}  // namespace kantor::config
