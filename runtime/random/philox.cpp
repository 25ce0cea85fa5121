#include "runtime/random/philox.hpp"

#include <cmath>
#include <numbers>

namespace kantor::random {
namespace {

constexpr std::uint32_t kMultiplier0 = 0xD2511F53u;
constexpr std::uint32_t kMultiplier1 = 0xCD9E8D57u;
constexpr std::uint32_t kWeyl0 = 0x9E3779B9u;  // golden ratio
constexpr std::uint32_t kWeyl1 = 0xBB67AE85u;  // sqrt(3) - 1
constexpr int kRounds = 10;
constexpr double kTwoToMinus53 = 0x1.0p-53;

std::uint32_t low(std::uint64_t value) { return static_cast<std::uint32_t>(value); }
std::uint32_t high(std::uint64_t value) { return static_cast<std::uint32_t>(value >> 32); }
std::uint64_t join(std::uint32_t high_word, std::uint32_t low_word) {
  return (std::uint64_t{high_word} << 32) | low_word;
}

/// Uniform in [0, 1) from the upper 53 bits.
double unit(std::uint64_t bits) { return static_cast<double>(bits >> 11) * kTwoToMinus53; }

}  // namespace

std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter,
                                    std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < kRounds; ++round) {
    const std::uint64_t product0 = std::uint64_t{kMultiplier0} * counter[0];
    const std::uint64_t product1 = std::uint64_t{kMultiplier1} * counter[2];
    counter = {high(product1) ^ counter[1] ^ key[0], low(product1),
               high(product0) ^ counter[3] ^ key[1], low(product0)};
    key[0] += kWeyl0;
    key[1] += kWeyl1;
  }
  return counter;
}

Stream::Stream(std::uint64_t seed, Purpose purpose, std::uint32_t stream)
    : key_{low(seed), high(seed)}, stream_(stream), purpose_(static_cast<std::uint32_t>(purpose)) {}

std::array<std::uint32_t, 4> Stream::block(std::uint64_t index) const {
  return philox({low(index), high(index), stream_, purpose_}, key_);
}

std::uint64_t Stream::bits(std::uint64_t index) const {
  const auto words = block(index);
  return join(words[1], words[0]);
}

double Stream::uniform(std::uint64_t index) const { return unit(bits(index)); }

double Stream::normal(std::uint64_t index) const {
  const auto words = block(index);
  const double radius_bits =
      unit(join(words[1], words[0])) + kTwoToMinus53;  // (0, 1]: log is finite
  const double angle = 2 * std::numbers::pi * unit(join(words[3], words[2]));
  return std::sqrt(-2 * std::log(radius_bits)) * std::cos(angle);
}

}  // namespace kantor::random
