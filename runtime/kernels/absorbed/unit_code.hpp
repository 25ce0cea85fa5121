#pragma once

// Numbers from 0 to 1 in 16 bits: 6 of exponent, 10 of mantissa, no sign. Codes from 0x400 up stand
// for 2^-62 (2e-19) to just below 2, each within 2^-11 of what it was made from; 0 stands for 0.

#include <bit>
#include <cstdint>

namespace kantor::kernels {

/// How a kernel is stored: as numbers of its type, or, floats alone, in 16 bits each.
enum class KernelFormat { numbers, codes };

/// A code, moved up by kCodeShift, is the float of its number over kCodeUnit: nothing is computed,
/// no float is below the smallest normal number, and the power of two goes into the other factor.
inline constexpr int kCodeShift = 13;
inline constexpr float kCodeUnit = 0x1p64f;
inline constexpr float kSmallestCoded = 0x1p-62f;
inline constexpr double kCodeError = 0x1p-11;  ///< relative, of a number that is not below it

inline float decode(std::uint16_t code) {
  return std::bit_cast<float>(std::uint32_t{code} << kCodeShift) * kCodeUnit;
}

/// To the nearest, ties to even; 0 below kSmallestCoded and of a NaN with a sign; the largest code
/// of numbers beyond it, and of any other NaN.
inline std::uint16_t encode(float value) {
  constexpr std::int32_t kUnit = 64 << 23;  // kCodeUnit in a float's exponent
  constexpr std::int32_t kSmallest = std::bit_cast<std::int32_t>(kSmallestCoded);
  constexpr std::int32_t kLargest = (0xFFFF << kCodeShift) + kUnit;
  const std::int32_t bits = std::bit_cast<std::int32_t>(value);  // negative numbers are below
  const std::int32_t kept = (bits < kSmallest ? kUnit : bits < kLargest ? bits : kLargest) - kUnit;
  const std::int32_t rounded = kept + (1 << (kCodeShift - 1)) - 1 + ((kept >> kCodeShift) & 1);
  return static_cast<std::uint16_t>(rounded >> kCodeShift);
}

}  // namespace kantor::kernels
