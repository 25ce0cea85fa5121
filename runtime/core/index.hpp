#pragma once

#include <cstddef>
#include <cstdint>

namespace kantor {

/// A count or number of a row as the standard containers want it. @param i >= 0.
constexpr std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }

}  // namespace kantor
