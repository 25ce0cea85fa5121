#include "runtime/random/permutation.hpp"

#include <bit>

#include "runtime/core/error.hpp"

namespace kantor::random {
namespace {

constexpr int kRounds = 6;
// Added to the purpose, so that no key block is also a block of a Stream.
constexpr std::uint32_t kFirstKeyBlock = 0x80000000u;
constexpr std::uint32_t kSecondKeyBlock = 0x40000000u;

/// Round function: the finaliser of MurmurHash3 (full avalanche on 32 bits).
std::uint32_t mix(std::uint32_t value, std::uint32_t key) {
  value ^= key;
  value ^= value >> 16;
  value *= 0x85EBCA6Bu;
  value ^= value >> 13;
  value *= 0xC2B2AE35u;
  value ^= value >> 16;
  return value;
}

}  // namespace

Permutation::Permutation(std::uint64_t n, std::uint64_t seed, Purpose purpose, std::uint32_t stream,
                         std::uint64_t epoch)
    : n_(n) {
  KANTOR_CHECK(n > 0, "a permutation of no elements");
  const auto bits = static_cast<int>(std::bit_width(n - 1));
  half_bits_ = bits < 2 ? 1 : (bits + 1) / 2;

  const std::array<std::uint32_t, 2> key = {static_cast<std::uint32_t>(seed),
                                            static_cast<std::uint32_t>(seed >> 32)};
  std::array<std::uint32_t, 4> counter = {static_cast<std::uint32_t>(epoch),
                                          static_cast<std::uint32_t>(epoch >> 32), stream,
                                          static_cast<std::uint32_t>(purpose) | kFirstKeyBlock};
  const auto first = philox(counter, key);
  counter[3] = static_cast<std::uint32_t>(purpose) | kSecondKeyBlock;
  const auto second = philox(counter, key);
  for (std::size_t round = 0; round < 4; ++round) round_keys_[round] = first[round];
  for (std::size_t round = 4; round < kRounds; ++round) round_keys_[round] = second[round - 4];
}

std::uint64_t Permutation::operator()(std::uint64_t i) const {
  KANTOR_CHECK(i < n_, "element ", i, " of a permutation of ", n_);
  const std::uint64_t half_mask = (std::uint64_t{1} << half_bits_) - 1;
  do {  // the network permutes 4^half_bits < 4 n values; its cycle through i comes back below n
    auto left = static_cast<std::uint32_t>(i >> half_bits_);
    auto right = static_cast<std::uint32_t>(i & half_mask);
    for (const std::uint32_t key : round_keys_) {
      const auto next = left ^ static_cast<std::uint32_t>(mix(right, key) & half_mask);
      left = right;
      right = next;
    }
    i = (std::uint64_t{left} << half_bits_) | right;
  } while (i >= n_);
  return i;
}

}  // namespace kantor::random
