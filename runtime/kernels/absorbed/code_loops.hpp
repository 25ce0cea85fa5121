#pragma once

// Loops over rows of codes (absorbed/unit_code.hpp). Included only by the translation units of the
// instruction sets, as vector_loops.hpp.

#include <cstring>

#include "runtime/kernels/absorbed/unit_code.hpp"
#include "runtime/kernels/vector_loops.hpp"

namespace kantor::kernels {
namespace {

template <class Arch>
struct CodeLoops {
  using Vector = Loops<float, Arch>;
  using Batch = typename Vector::Batch;
  static constexpr std::int64_t kWidth = Vector::kWidth;

  /// Values of codes over kCodeUnit.
  static float number(std::uint16_t code) {
    const std::uint32_t bits = std::uint32_t{code} << kCodeShift;
    float value;
    std::memcpy(&value, &bits, sizeof bits);
    return value;
  }
  static Batch load(const std::uint16_t* codes) {
#ifdef __AVX2__
    if constexpr (kWidth == 8) {
      const __m256i bits =
          _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(codes)));
      return _mm256_castsi256_ps(_mm256_slli_epi32(bits, kCodeShift));
    }
#endif
#ifdef __SSE2__
    if constexpr (kWidth == 4) {
      const __m128i bits =
          _mm_unpacklo_epi16(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(codes)), __m128i{});
      return _mm_castsi128_ps(_mm_slli_epi32(bits, kCodeShift));
    }
#endif
    float lanes[kWidth];
    for (std::int64_t i = 0; i < kWidth; ++i) lanes[i] = number(codes[i]);
    return Vector::load(lanes);
  }

  /// encode() of a row; here the compiler makes vectors of the instruction set of it.
  static void encode_row(const float* values, float scale, std::int64_t n, std::uint16_t* codes) {
    constexpr std::int32_t unit = 64 << 23;
    constexpr std::int32_t smallest = (127 - 62) << 23;
    constexpr std::int32_t largest = (0xFFFF << kCodeShift) + unit;
    for (std::int64_t j = 0; j < n; ++j) {
      const float value = scale * values[j];
      std::int32_t bits;
      std::memcpy(&bits, &value, sizeof bits);
      const std::int32_t kept = (bits < smallest ? unit : bits < largest ? bits : largest) - unit;
      const std::int32_t rounded = kept + (1 << (kCodeShift - 1)) - 1 + ((kept >> kCodeShift) & 1);
      codes[j] = static_cast<std::uint16_t>(rounded >> kCodeShift);
    }
  }

  static void dot_and_add_codes(const std::uint16_t* const* rows, std::int64_t ahead,
                                const float* b, double* dots, const std::uint16_t* const* before,
                                const float* scales, float* sums, std::int64_t n) {
    const std::uint16_t *from[kCodeRows], *old[kCodeRows];  // in registers
    Batch scale[kCodeRows];
    for (int r = 0; r < kCodeRows; ++r) {
      from[r] = rows[r];
      old[r] = before[r];
      scale[r] = Batch(scales[r]);
      dots[r] = 0;
    }
    constexpr std::int64_t chunk =
        4 * Vector::kChunk;  // what that rounds is less than what codes do
    std::int64_t j = 0;
    while (j + 2 * kWidth <= n) {
      const std::int64_t end = j + chunk < n ? j + chunk : n;
      Batch dot[kCodeRows];
      for (int r = 0; r < kCodeRows; ++r) dot[r] = Batch(0.f);
      for (; j + 2 * kWidth <= end; j += 2 * kWidth) {
        const Batch first = Vector::load(b + j), second = Vector::load(b + j + kWidth);
        Batch low = Vector::load(sums + j), high = Vector::load(sums + j + kWidth);
        for (int r = 0; r < kCodeRows; ++r) {
          __builtin_prefetch(from[r] + j + ahead);
          dot[r] = xsimd::fma(load(from[r] + j), first, dot[r]);
          dot[r] = xsimd::fma(load(from[r] + j + kWidth), second, dot[r]);
          low = xsimd::fma(scale[r], load(old[r] + j), low);
          high = xsimd::fma(scale[r], load(old[r] + j + kWidth), high);
        }
        low.store_unaligned(sums + j);
        high.store_unaligned(sums + j + kWidth);
      }
      for (int r = 0; r < kCodeRows; ++r) dots[r] += Vector::sum_lanes(dot[r]);
    }
    for (; j < n; ++j) {
      for (int r = 0; r < kCodeRows; ++r) {
        dots[r] += static_cast<double>(number(from[r][j])) * static_cast<double>(b[j]);
        sums[j] += scales[r] * number(old[r][j]);
      }
    }
  }

  /// Adds the entries of this file to the table.
  static constexpr VectorKernels<float> complete(VectorKernels<float> table) {
    table.encode = encode_row;
#if defined(__AVX512F__) && defined(__OPTIMIZE__)
    // Memory is the limit, and is read faster by vectors of half the length: 2.7 to 3.7 ms.
    // Inlined: as functions xsimd's operations on them would be shared with the unit of AVX2.
    table.dot_and_add_codes = CodeLoops<xsimd::fma3<xsimd::avx2>>::dot_and_add_codes;
#else
    table.dot_and_add_codes = dot_and_add_codes;
#endif
    return table;
  }
  static constexpr VectorKernels<double> complete(VectorKernels<double> table) { return table; }
};

}  // namespace
}  // namespace kantor::kernels
