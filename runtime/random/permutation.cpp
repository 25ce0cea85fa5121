#include "runtime/random/permutation.hpp"

#include <algorithm>
#include <array>
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

/// Permutes 4^half_bits < 4 n values.
std::uint64_t Permutation::network(std::uint64_t value) const {
  const std::uint64_t half_mask = (std::uint64_t{1} << half_bits_) - 1;
  auto left = static_cast<std::uint32_t>(value >> half_bits_);
  auto right = static_cast<std::uint32_t>(value & half_mask);
  for (const std::uint32_t key : round_keys_) {
    const auto next = left ^ static_cast<std::uint32_t>(mix(right, key) & half_mask);
    left = right;
    right = next;
  }
  return (std::uint64_t{left} << half_bits_) | right;
}

std::uint64_t Permutation::operator()(std::uint64_t i) const {
  KANTOR_CHECK(i < n_, "element ", i, " of a permutation of ", n_);
  do {  // the cycle of the network through i comes back below n
    i = network(i);
  } while (i >= n_);
  return i;
}

void Permutation::apply(std::span<std::int64_t> values) const {
  constexpr std::size_t kBlock = 256;
  for (std::size_t first = 0; first < values.size(); first += kBlock) {
    const auto block = values.subspan(first, std::min(kBlock, values.size() - first));
    std::array<std::uint32_t, kBlock> waiting;  // places whose walk is not below n yet
    std::size_t num_waiting = block.size();
    for (std::size_t k = 0; k < block.size(); ++k) {
      KANTOR_CHECK(static_cast<std::uint64_t>(block[k]) < n_, "element ", block[k],
                   " of a permutation of ", n_);
      waiting[k] = static_cast<std::uint32_t>(k);
    }
    while (num_waiting > 0) {
      std::size_t kept = 0;
      for (std::size_t w = 0; w < num_waiting; ++w) {  // no branch: the walks run side by side
        const std::uint32_t place = waiting[w];
        const std::uint64_t value = network(static_cast<std::uint64_t>(block[place]));
        block[place] = static_cast<std::int64_t>(value);
        waiting[kept] = place;
        kept += value >= n_ ? 1 : 0;
      }
      num_waiting = kept;
    }
  }
}

}  // namespace kantor::random
