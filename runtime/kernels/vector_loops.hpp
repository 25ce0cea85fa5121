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

  static T max(const T* values, std::int64_t n) {
    Batch largest(-kInfinity);
    Batch other(-kInfinity);
    std::int64_t j = 0;
    for (; j + 2 * kWidth <= n; j += 2 * kWidth) {
      largest = xsimd::max(largest, load(values + j));
      other = xsimd::max(other, load(values + j + kWidth));
    }
    largest = xsimd::max(largest, other);
    T lanes[kWidth];
    largest.store_unaligned(lanes);
    T result = -kInfinity;
    for (std::int64_t i = 0; i < kWidth; ++i) result = lanes[i] > result ? lanes[i] : result;
    for (; j < n; ++j) result = values[j] > result ? values[j] : result;
    return result;
  }

  /// A number whose addition rounds to a whole number k and leaves k in the lowest bits.
  static constexpr T kRound = sizeof(T) == 4 ? T(0x1.8p23) : T(0x1.8p52);
  static constexpr int kMantissaBits = sizeof(T) == 4 ? 23 : 52;
  /// Arguments beyond which e^x is below the smallest normal number, or inf.
  static constexpr T kLowest = sizeof(T) == 4 ? T(-87.33) : T(-708.39);
  static constexpr T kHighest = sizeof(T) == 4 ? T(88.722839) : T(709.782712893384);
  static constexpr T kLog2E = T(1.44269504088896340736);

  static Batch horner(const Batch& r, std::initializer_list<T> coefficients) {
    const T* next = coefficients.begin();
    Batch sum(*next);
    while (++next != coefficients.end()) sum = xsimd::fma(sum, r, Batch(*next));
    return sum;
  }

  /// e^x / 2^k, k = `whole` the whole number nearest to x / ln 2.
  static Batch exp_fraction(const Batch& x, const Batch& whole) {
    if constexpr (sizeof(T) == 4) {
      // 2^r, |r| <= 1/2, interpolated to 5e-9. log2 e in one float adds 1.4e-8 |x|: less than the
      // rounding of an argument of that size, 6e-8 |x|.
      const Batch r = xsimd::fms(x, Batch(kLog2E), whole);
      return horner(r,
                    {T(0.00015453162941960995), T(0.0013390863364651736), T(0.009618082557286533),
                     T(0.055503571142191135), T(0.24022650760568082), T(0.6931471880262287), T(1)});
    } else {
      // e^r by its Taylor series, |r| <= ln 2 / 2: what follows r^13 is below 5e-18. ln 2 in two
      // parts, the first with trailing zeros: its products with whole numbers are exact.
      const Batch high = xsimd::fnma(whole, Batch(T(6.93147180369123816490e-01)), x);
      const Batch r = xsimd::fnma(whole, Batch(T(1.90821492927058770002e-10)), high);
      const Batch series = horner(r, {T(1 / 6227020800.), T(1 / 479001600.), T(1 / 39916800.),
                                      T(1 / 3628800.), T(1 / 362880.), T(1 / 40320.), T(1 / 5040.),
                                      T(1 / 720.), T(1 / 120.), T(1 / 24.), T(1 / 6.), T(1 / 2.)});
      return xsimd::fma(series, r * r, r) + Batch(T{1});
    }
  }

  /// e^x: 0 below the smallest normal number, NaN stays NaN. Arguments above kHighest only with
  /// kMayOverflow. Two to three times as fast as xsimd's, whose ldexp and limits are general.
  template <bool kMayOverflow>
  static Batch exp(const Batch& x) {
    using Integers =
        xsimd::batch<std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>, Arch>;
    const Batch shifted = xsimd::fma(x, Batch(kLog2E), Batch(kRound));
    const Batch fraction = exp_fraction(x, shifted - Batch(kRound));
    const Integers exponent = xsimd::bitwise_cast<Integers>(shifted) << kMantissaBits;
    Batch result = xsimd::bitwise_cast<Batch>(xsimd::bitwise_cast<Integers>(fraction) + exponent);
    if constexpr (kMayOverflow) {
      result = xsimd::select(x > Batch(kHighest), Batch(kInfinity), result);
    }
    return xsimd::select(x < Batch(kLowest), Batch(T{0}), result);
  }

  static double exp_sum(T* values, std::int64_t n, T shift) {
    const Batch shifts(shift);
    double sum = 0;
    std::int64_t j = 0;
    while (j + kWidth <= n) {
      const std::int64_t end = j + kChunk < n ? j + kChunk : n;
      Batch even(T{0});
      Batch odd(T{0});
      for (; j + 2 * kWidth <= end; j += 2 * kWidth) {
        const Batch first = exp<false>(load(values + j) - shifts);
        const Batch second = exp<false>(load(values + j + kWidth) - shifts);
        first.store_unaligned(values + j);
        second.store_unaligned(values + j + kWidth);
        even += first;
        odd += second;
      }
      for (; j + kWidth <= end; j += kWidth) {
        const Batch value = exp<false>(load(values + j) - shifts);
        value.store_unaligned(values + j);
        even += value;
      }
      sum += sum_lanes(even + odd);
    }
    if (j < n) {
      const Batch value = exp<false>(load_part(values + j, n - j, -kInfinity) - shifts);
      store_part(value, values + j, n - j);
      for (; j < n; ++j) sum += static_cast<double>(values[j]);
    }
    return sum;
  }

  static void exp_shifted(T* values, std::int64_t n, T shift) {
    const Batch shifts(shift);
    std::int64_t j = 0;
    for (; j + kWidth <= n; j += kWidth) {
      exp<true>(load(values + j) - shifts).store_unaligned(values + j);
    }
    if (j < n) {
      const Batch value = exp<true>(load_part(values + j, n - j, -kInfinity) - shifts);
      store_part(value, values + j, n - j);
    }
  }

  static void copy(const T* from, std::int64_t n, T* to) {
    std::int64_t j = 0;
    for (; j + kWidth <= n; j += kWidth) load(from + j).store_unaligned(to + j);
    if (j < n) store_part(load_part(from + j, n - j, T{0}), to + j, n - j);
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

  static void add_scaled_rows(T* target, const T* const* rows, const T* scales,
                              std::int64_t num_rows, std::int64_t n) {
    constexpr std::int64_t block = 1024;  // of the target, kept in L1
    for (std::int64_t begin = 0; begin < n; begin += block) {
      const std::int64_t end = begin + block < n ? begin + block : n;
      std::int64_t r = 0;
      for (; r + 4 <= num_rows; r += 4) add_rows<4>(target, rows + r, scales + r, begin, end);
      for (; r < num_rows; ++r) add_rows<1>(target, rows + r, scales + r, begin, end);
    }
  }

  static double dot(const T* a, const T* b, std::int64_t n) {
    double sum = 0;
    std::int64_t j = 0;
    while (j + kWidth <= n) {
      const std::int64_t end = j + kChunk < n ? j + kChunk : n;
      Batch partial(T{0});
      for (; j + kWidth <= end; j += kWidth) {
        partial = xsimd::fma(load(a + j), load(b + j), partial);
      }
      sum += sum_lanes(partial);
    }
    for (; j < n; ++j) sum += static_cast<double>(a[j]) * static_cast<double>(b[j]);
    return sum;
  }

  static void stored_logits(const T* bias, const T* cost, T scale, std::int64_t n, T* logits) {
    const Batch scales(scale);
    std::int64_t j = 0;
    for (; j + kWidth <= n; j += kWidth) {
      xsimd::fnma(scales, load(cost + j), load(bias + j)).store_unaligned(logits + j);
    }
    for (; j < n; ++j) logits[j] = bias[j] - scale * cost[j];
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
      const Batch power = exp<true>(Batch(p) * xsimd::log(distance));
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
    return {.max = max,
            .exp_sum = exp_sum,
            .exp_shifted = exp_shifted,
            .copy = copy,
            .add_scaled_rows = add_scaled_rows,
            .dot = dot,
            .stored_logits = stored_logits,
            .root_or_mark = root_or_mark,
            .pnorm_row = pnorm_row,
            .rounded_row = rounded_row};
  }
};

}  // namespace
}  // namespace kantor::kernels
