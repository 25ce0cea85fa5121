#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace kantor::data {

bool is_npy(std::span<const std::byte> bytes);

/// What bytes that are not of the kind their name or place says look like, with the next move, to
/// end a message: "; it is a zip archive ..", or "".
std::string likely_kind(std::span<const std::byte> bytes);

}  // namespace kantor::data
