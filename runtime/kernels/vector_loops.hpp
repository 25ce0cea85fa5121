#pragma once

// The bodies of vector_kernels.hpp for any xsimd architecture. Included only by the translation
// units of the instruction sets: everything here depends on Arch or has internal linkage, so that
// the linker cannot hand AVX2 code to a processor without it.

#include <cstdint>
#include <initializer_list>
#include <limits>
#include <type_traits>
#include <xsimd/xsimd.hpp>

#include "runtime/kernels/vector_kernels.hpp"

namespace kantor::kernels {
namespace {

template <class T, class Arch>
struct Loops {
  using Batch = xsimd::batch<T, Arch>;
  static constexpr std::int64_t kWidth = static_cast<std::int64_t>(Batch::size);
  static constexpr std::int64_t kChunk = 512;  // terms summed in T before the sum goes to double
  static constexpr T kInfinity = std::numeric_limits<T>::infinity();

  static Batch load(const T* from) { return Batch::load_unaligned(from); }

  /// The first `count` < width numbers, then `fill`.
  static Batch load_part(const T* from, std::int64_t count, T fill) {
    T lanes[kWidth];
    for (std::int64_t i = 0; i < kWidth; ++i) lanes[i] = i < count ? from[i] : fill;
    return load(lanes);
  }
  static void store_part(const Batch& value, T* to, std::int64_t count) {
    T lanes[kWidth];
    value.store_unaligned(lanes);
    for (std::int64_t i = 0; i < count; ++i) to[i] = lanes[i];
  }

  static double sum_lanes(const Batch& value) {
    T lanes[kWidth];
    value.store_unaligned(lanes);
    double sum = 0;
    for (std::int64_t i = 0; i < kWidth; ++i) sum += static_cast<double>(lanes[i]);
    return sum;
  }

  /// A number whose addition rounds to a whole number k and leaves k in the lowest bits.
  static constexpr T kRound = sizeof(T) == 4 ? T(0x1.8p23) : T(0x1.8p52);
  static constexpr int kMantissaBits = sizeof(T) == 4 ? 23 : 52;
  /// Exponents beyond which 2^x is below the smallest normal number, or inf.
  static constexpr T kLowest = sizeof(T) == 4 ? T(-126) : T(-1022);
  static constexpr T kHighest = sizeof(T) == 4 ? T(128) : T(1024);

  static Batch horner(const Batch& r, std::initializer_list<T> coefficients) {
    const T* next = coefficients.begin();
    Batch sum(*next);
    while (++next != coefficients.end()) sum = xsimd::fma(sum, r, Batch(*next));
    return sum;
  }

  /// 2^r, |r| <= 1/2: interpolated at Chebyshev points, to 2.6e-9 and 4.3e-18.
  static Batch exp2_fraction(const Batch& r) {
    if constexpr (sizeof(T) == 4) {
      return horner(r,
                    {T(0.0001546144469856913), T(0.0013400428177615838), T(0.009618056678524637),
                     T(0.05550327226670302), T(0.24022650922288757), T(0.6931472067028326), T(1)});
    } else {
      return horner(
          r, {T(4.4558179083360645e-10), T(7.074194297288521e-09), T(1.0178057087733941e-07),
              T(1.3215432535912375e-06), T(1.5252733841556773e-05), T(0.00015403530463724353),
              T(0.001333355814640647), T(0.009618129107587256), T(0.055504108664821625),
              T(0.24022650695910158), T(0.6931471805599453), T(1)});
    }
  }

  /// 2^x: 0 below the smallest normal number, NaN stays NaN. Exponents from kHighest on only with
  /// kMayOverflow.
  template <bool kMayOverflow>
  static Batch exp2(const Batch& x) {
#ifdef __AVX512F__
    if constexpr (sizeof(T) * kWidth == 64) return exp2_by_scaling(x);
#endif
    using Integers =
        xsimd::batch<std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>, Arch>;
    const Batch shifted = x + Batch(kRound);
    const Batch fraction = exp2_fraction(x - (shifted - Batch(kRound)));
    const Integers exponent = xsimd::bitwise_cast<Integers>(shifted) << kMantissaBits;
    Batch result = xsimd::bitwise_cast<Batch>(xsimd::bitwise_cast<Integers>(fraction) + exponent);
    if constexpr (kMayOverflow) {
      result = xsimd::select(x >= Batch(kHighest), Batch(kInfinity), result);
    }
    return xsimd::select(x < Batch(kLowest), Batch(T{0}), result);
  }

#ifdef __AVX512F__
  /// The rounding and the scaling are single instructions there.
  static Batch exp2_by_scaling(const Batch& x) {
    if constexpr (sizeof(T) == 4) {
      const __m512 whole = _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
      const __mmask16 is_kept = _mm512_cmp_ps_mask(x, _mm512_set1_ps(kLowest), _CMP_NLT_UQ);
      return _mm512_maskz_scalef_ps(is_kept, exp2_fraction(_mm512_sub_ps(x, whole)), whole);
    } else {
      const __m512d whole = _mm512_roundscale_pd(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
      const __mmask8 is_kept = _mm512_cmp_pd_mask(x, _mm512_set1_pd(kLowest), _CMP_NLT_UQ);
      return _mm512_maskz_scalef_pd(is_kept, exp2_fraction(_mm512_sub_pd(x, whole)), whole);
    }
  }
#endif

  static void exp2_row(T* values, std::int64_t n) {
    std::int64_t j = 0;
    for (; j + kWidth <= n; j += kWidth) exp2<true>(load(values + j)).store_unaligned(values + j);
    if (j < n) store_part(exp2<true>(load_part(values + j, n - j, T{0})), values + j, n - j);
  }

  /// In double, in an order that depends on nothing but n: 8 running sums.
  template <class Term>
  static double sum_of(std::int64_t n, const Term& term) {
    double sums[8] = {};
    std::int64_t k = 0;
    for (; k + 8 <= n; k += 8) {
      for (int l = 0; l < 8; ++l) sums[l] += term(k + l);
    }
    double sum = 0;
    for (; k < n; ++k) sum += term(k);
    for (const double part : sums) sum += part;
    return sum;
  }
  static double square(const T* x, std::int64_t n) {
    return sum_of(
        n, [&](std::int64_t k) { return static_cast<double>(x[k]) * static_cast<double>(x[k]); });
  }
  static double product(const T* x, const double* y, std::int64_t n) {
    return sum_of(n, [&](std::int64_t k) { return static_cast<double>(x[k]) * y[k]; });
  }

  static double dot(const T* a, const T* b, std::int64_t n) {
    double sum = 0;
    std::int64_t j = 0;
    while (j + kWidth <= n) {
      const std::int64_t end = j + kChunk < n ? j + kChunk : n;
      Batch even(T{0});
      Batch odd(T{0});
      for (; j + 2 * kWidth <= end; j += 2 * kWidth) {
        even = xsimd::fma(load(a + j), load(b + j), even);
        odd = xsimd::fma(load(a + j + kWidth), load(b + j + kWidth), odd);
      }
      for (; j + kWidth <= end; j += kWidth) even = xsimd::fma(load(a + j), load(b + j), even);
      sum += sum_lanes(even + odd);
    }
    for (; j < n; ++j) sum += static_cast<double>(a[j]) * static_cast<double>(b[j]);
    return sum;
  }

  static void sum_rows(const T* rows, std::int64_t stride, std::int64_t num_rows, const T* scales,
                       std::int64_t n, T* sums) {
    constexpr std::int64_t block = 2048;  // of the sums, kept in the first-level cache
    for (std::int64_t begin = 0; begin < n; begin += block) {
      const std::int64_t end = begin + block < n ? begin + block : n;
      for (std::int64_t j = begin; j < end; ++j) sums[j] = 0;
      const T* waiting[4];
      T scale[4];
      int count = 0;
      for (std::int64_t r = 0; r < num_rows; ++r) {
        if (scales[r] == T{0}) continue;
        waiting[count] = rows + r * stride;
        scale[count++] = scales[r];
        if (count < 4) continue;
        add_rows<4>(sums, waiting, scale, begin, end);
        count = 0;
      }
      for (int r = 0; r < count; ++r) add_rows<1>(sums, waiting + r, scale + r, begin, end);
    }
  }

  template <int kRows>
  static void add_rows(T* target, const T* const* rows, const T* scales, std::int64_t begin,
                       std::int64_t end) {
    std::int64_t j = begin;
    for (; j + kWidth <= end; j += kWidth) {
      Batch sum = load(target + j);
      for (int r = 0; r < kRows; ++r) sum = xsimd::fma(Batch(scales[r]), load(rows[r] + j), sum);
      sum.store_unaligned(target + j);
    }
    for (; j < end; ++j) {
      T sum = target[j];
      for (int r = 0; r < kRows; ++r) sum += scales[r] * rows[r][j];
      target[j] = sum;
    }
  }

  static Batch root_or_mark(const Batch& value, const Batch& scale, const Batch& tau) {
    return xsimd::select(value <= tau * scale, Batch(T{-1}), xsimd::sqrt(value));
  }

  static bool root_or_mark(T* values, const T* column_squares, T row_square, T tau,
                           std::int64_t n) {
    const Batch row(row_square);
    const Batch taus(tau);
    Batch smallest(T{0});
    std::int64_t j = 0;
    for (; j + kWidth <= n; j += kWidth) {
      const Batch root = root_or_mark(load(values + j), row + load(column_squares + j), taus);
      root.store_unaligned(values + j);
      smallest = xsimd::min(smallest, root);
    }
    if (j < n) {
      const Batch root =
          root_or_mark(load_part(values + j, n - j, T{1}),
                       row + load_part(column_squares + j, n - j, -row_square), taus);
      store_part(root, values + j, n - j);
      smallest = xsimd::min(smallest, root);
    }
    return sum_lanes(smallest) < 0;
  }

  struct Square {
    Batch operator()(const Batch& distance) const { return distance * distance; }
  };
  struct ThreeHalves {
    Batch operator()(const Batch& distance) const { return distance * xsimd::sqrt(distance); }
  };
  struct Cube {
    Batch operator()(const Batch& distance) const { return distance * distance * distance; }
  };
  struct Power {
    T p;
    Batch operator()(const Batch& distance) const {
      const Batch power = exp2<true>(Batch(p) * xsimd::log2(distance));
      return xsimd::select(distance == Batch(T{0}), Batch(T{0}), power);
    }
  };

  template <class Function>
  static void pnorm_with(const Function& power, const T* x, const T* columns, std::int64_t d,
                         std::int64_t n, T p, T* costs) {
    const Batch factor(T{1} / p);
    for (std::int64_t j = 0; j < n; j += kWidth) {
      const std::int64_t count = n - j < kWidth ? n - j : kWidth;
      Batch sum(T{0});
      for (std::int64_t k = 0; k < d; ++k) {
        const T* from = columns + k * n + j;
        const Batch y = count == kWidth ? load(from) : load_part(from, count, x[k]);
        sum += power(xsimd::abs(Batch(x[k]) - y));
      }
      if (count == kWidth) {
        (sum * factor).store_unaligned(costs + j);
      } else {
        store_part(sum * factor, costs + j, count);
      }
    }
  }

  static void pnorm_row(const T* x, const T* columns, std::int64_t d, std::int64_t n, T p,
                        T* costs) {
    if (p == T{2}) {
      pnorm_with(Square{}, x, columns, d, n, p, costs);
    } else if (p == T{1.5}) {
      pnorm_with(ThreeHalves{}, x, columns, d, n, p, costs);
    } else if (p == T{3}) {
      pnorm_with(Cube{}, x, columns, d, n, p, costs);
    } else {
      pnorm_with(Power{p}, x, columns, d, n, p, costs);
    }
  }

  /// The columns j .. j + count - 1 of a rounded row, added to two running sums.
  struct RoundedTerms {
    Batch inverse_sum;
    Batch row_missing;
    Batch cost_sum = Batch(T{0});
    Batch kl_sum = Batch(T{0});

    void add(const Batch& value, const Batch& cost, const Batch& weight, const Batch& scale,
             const Batch& missing) {
      const Batch zero(T{0});
      const Batch q = xsimd::fma(value * inverse_sum, scale, row_missing * missing);
      const Batch mass = weight * q;
      // A cost may be inf or a logarithm -inf where the plan is 0: neither may reach the sums.
      const auto is_zero = q == zero;
      cost_sum += xsimd::select(is_zero, zero, mass * cost);
      kl_sum += xsimd::select(is_zero, zero, mass * xsimd::log(q));
    }
  };

  static RoundedRow rounded_row(const T* values, T inverse_sum, const T* cost, T row_missing,
                                const RoundedColumns<T>& columns, std::int64_t n) {
    RoundedRow total;
    RoundedTerms terms{Batch(inverse_sum), Batch(row_missing)};
    std::int64_t j = 0;
    while (j + kWidth <= n) {
      const std::int64_t end = j + kChunk < n ? j + kChunk : n;
      for (; j + kWidth <= end; j += kWidth) {
        terms.add(load(values + j), load(cost + j), load(columns.weight + j),
                  load(columns.scale + j), load(columns.missing + j));
      }
      total.transport_cost += sum_lanes(terms.cost_sum);
      total.kl += sum_lanes(terms.kl_sum);
      terms.cost_sum = terms.kl_sum = Batch(T{0});
    }
    if (j < n) {
      const std::int64_t count = n - j;
      terms.add(load_part(values + j, count, 0), load_part(cost + j, count, 0),
                load_part(columns.weight + j, count, 0), load_part(columns.scale + j, count, 0),
                load_part(columns.missing + j, count, 0));
      total.transport_cost += sum_lanes(terms.cost_sum);
      total.kl += sum_lanes(terms.kl_sum);
    }
    return total;
  }

  static constexpr VectorKernels<T> table() {
    VectorKernels<T> table{};
    table.exp2 = exp2_row;
    table.square = square;
    table.product = product;
    table.dot = dot;
    table.sum_rows = sum_rows;
    table.root_or_mark = root_or_mark;
    table.pnorm_row = pnorm_row;
    table.rounded_row = rounded_row;
    return table;
  }
};

}  // namespace
}  // namespace kantor::kernels
