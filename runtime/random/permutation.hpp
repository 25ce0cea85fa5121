#pragma once

#include <cstdint>
#include <span>

#include "runtime/random/philox.hpp"

namespace kantor::random {

/// A permutation of 0 .. n-1 without a stored index array: a keyed Feistel network on the next even
/// number of bits, walked until the value falls below n (Black & Rogaway 2002).
class Permutation {
 public:
  /// @param stream which of several permutations of the same purpose (a marginal, say).
  /// @param epoch  which pass over the data.
  Permutation(std::uint64_t n, std::uint64_t seed, Purpose purpose, std::uint32_t stream,
              std::uint64_t epoch);
  std::uint64_t size() const { return n_; }
  /// @param i < n.
  std::uint64_t operator()(std::uint64_t i) const;
  /// The same for many at once, in place and several times as fast: their walks overlap.
  /// @param values each < n.
  void apply(std::span<std::int64_t> values) const;

 private:
  std::uint64_t network(std::uint64_t value) const;

  std::uint64_t n_;
  int half_bits_;
  std::uint32_t round_keys_[6];
};

}  // namespace kantor::random
