#pragma once

// What the contract tests share. Shapes: P ranks, n elements.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <vector>

#include "tests/support/world.hpp"

namespace kantor::test {

/// None, one, odd, and beyond every eager limit and pipeline segment.
inline constexpr std::size_t kSizes[] = {0, 1, 7, 1023, 100003};

inline std::uint64_t hash(std::uint64_t rank, std::uint64_t index) {  // SplitMix64's finaliser
  std::uint64_t z = rank * 0x9e3779b97f4a7c15u + index * 0xd1b54a32d192ed03u + 1;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

/// Element `index` of rank `rank`: every rank can compute what its peers sent. Reals of both signs
/// over 16 binades, so that the order of a sum shows; integers whose sums over 8 ranks fit, the
/// 64-bit ones beyond what a double holds.
template <class T>
T value(int rank, std::size_t index) {
  const std::uint64_t bits = hash(static_cast<std::uint64_t>(rank), index);
  if constexpr (std::is_same_v<T, std::byte>) {
    return static_cast<std::byte>(bits & 0xff);
  } else if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(static_cast<std::int64_t>(bits) >> (sizeof(T) == 8 ? 4 : 36));
  } else {
    const double mantissa = static_cast<double>(static_cast<std::int64_t>(bits)) * 0x1p-63;
    return static_cast<T>(std::ldexp(mantissa, static_cast<int>(bits % 16) - 8));
  }
}

template <class T>
std::vector<T> values(int rank, std::size_t size, std::size_t first = 0) {
  std::vector<T> result(size);
  for (std::size_t i = 0; i < size; ++i) result[i] = value<T>(rank, first + i);
  return result;
}

/// Exact (or long double) sum over ranks, and what its rounding error is measured by.
struct Oracle {
  long double sum = 0;
  long double magnitude = 0;
};

template <class T>
Oracle oracle(int num_ranks, std::size_t index) {
  Oracle result;
  for (int rank = 0; rank < num_ranks; ++rank) {
    const auto term = static_cast<long double>(value<T>(rank, index));  // 64 bits: int64 is exact
    result.sum += term;
    result.magnitude += std::abs(term);
  }
  return result;
}

/// A sum of P terms in any order errs by at most (P - 1) eps/2 of their magnitudes; 2 P eps is what
/// the project promises. Integers are exact.
template <class T>
bool agrees(T sum, int num_ranks, std::size_t index) {
  const Oracle truth = oracle<T>(num_ranks, index);
  const long double eps = std::is_integral_v<T> ? 0 : std::numeric_limits<T>::epsilon();
  return std::abs(static_cast<long double>(sum) - truth.sum) <=
         2 * num_ranks * eps * truth.magnitude;
}

template <class T>
bool same_bits(std::span<const T> a, std::span<const T> b) {
  return a.size() == b.size() &&
         (a.empty() || std::memcmp(a.data(), b.data(), a.size_bytes()) == 0);
}

/// Whether all ranks hold the same bits. Collective.
template <class T>
bool same_bits_on_all_ranks(std::span<const T> mine) {
  Communicator& ranks = world();
  const std::span<const std::byte> bytes = std::as_bytes(mine);
  std::vector<std::byte> all(bytes.size() * static_cast<std::size_t>(ranks.size()));
  ranks.all_gather(bytes, std::span(all), "bits");
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i] != bytes[i % bytes.size()]) return false;
  }
  return true;
}

}  // namespace kantor::test
