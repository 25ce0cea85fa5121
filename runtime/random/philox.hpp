#pragma once

#include <array>
#include <cstdint>

namespace kantor::random {

/// Streams of one seed that must not meet. Values below 2^30 only: permutations derive their keys
/// from the tags above (permutation.cpp).
enum class Purpose : std::uint32_t {
  initial_weights = 1,
  sampling,
  holdout,
  evaluation,
  generator,
  test,
  alignment
};

/// Philox 4x32-10: 128 random bits as a pure function of key and counter.
/// Source: Salmon, Moraes, Dror & Shaw, SC 2011.
std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter,
                                    std::array<std::uint32_t, 2> key);

/// A stream of numbers addressed by index: value i is a function of (seed, purpose, stream, i)
/// alone, so neither the number of ranks nor a resume changes it. The key is the seed; the counter
/// is (index low, index high, stream, purpose), so no two different addresses share an input.
/// One index holds one block: bits, uniform and normal of the same index are not independent.
class Stream {
 public:
  Stream(std::uint64_t seed, Purpose purpose, std::uint32_t stream = 0);
  std::array<std::uint32_t, 4> block(std::uint64_t index) const;
  std::uint64_t bits(std::uint64_t index) const;
  /// Uniform in [0, 1), 53 bits.
  double uniform(std::uint64_t index) const;
  /// Standard normal (Box-Muller on one block); |value| < 8.6.
  double normal(std::uint64_t index) const;

 private:
  std::array<std::uint32_t, 2> key_;
  std::uint32_t stream_;
  std::uint32_t purpose_;
};

}  // namespace kantor::random
