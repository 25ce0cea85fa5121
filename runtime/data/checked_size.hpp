#pragma once

#include <cstdint>
#include <optional>
#include <span>

namespace kantor::data {

/// Product of non-negative factors; nothing if it does not fit into 63 bits.
inline std::optional<std::int64_t> checked_product(std::span<const std::int64_t> factors) {
  std::int64_t product = 1;
  for (const std::int64_t factor : factors) {
    if (factor < 0 || __builtin_mul_overflow(product, factor, &product)) return std::nullopt;
  }
  return product;
}

}  // namespace kantor::data
