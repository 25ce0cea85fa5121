#pragma once

#include <string>
#include <string_view>

namespace kantor {

/// At most about `most` bytes: of a longer text its beginning and its end, with " .. " in between.
/// Letters of UTF-8 stay whole.
std::string shortened(std::string_view text, std::size_t most);

}  // namespace kantor
