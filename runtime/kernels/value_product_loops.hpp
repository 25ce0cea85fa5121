#pragma once

// Products of the rows of a tile with values, in the shape of register_tiles.hpp, and the table of
// an instruction set. Included only by the translation units of the instruction sets.
// Shapes: R rows of a tile, n columns of it, K value columns.

#include "runtime/kernels/absorbed/code_loops.hpp"
#include "runtime/kernels/row_block_loops.hpp"

namespace kantor::kernels {
namespace {

template <class T, class Arch>
struct ValueProductLoops {
  using Tiles = RegisterTiles<T, Arch>;
  using Vector = typename Tiles::Vector;
  using Batch = typename Tiles::Batch;
  static constexpr int kWidth = Tiles::kWidth;
  static constexpr int kRows = Tiles::kRows;
  static constexpr int kPanel = Tiles::kPanel;

  /// sums[r, k] += sum_j rows[r, j] packed[j, k] for up to U vectors of values.
  template <int U>
  static void add_packed_products(const T* rows, std::int64_t stride, std::int64_t num_rows,
                                  const T* packed, std::int64_t n, std::int64_t values_here,
                                  std::int64_t num_values, double* sums) {
    for (std::int64_t first = 0; first < num_rows; first += kRows) {
      Batch sum[kRows][U];
      KANTOR_UNROLL for (int r = 0; r < kRows; ++r) {
        KANTOR_UNROLL for (int v = 0; v < U; ++v) sum[r][v] = Batch(T{0});
      }
      const T* row = rows + first * stride;
      const T* value = packed;
      for (std::int64_t j = 0; j < n; ++j, value += U * kWidth) {
        Batch column[U];
        KANTOR_UNROLL for (int v = 0; v < U; ++v) column[v] = Vector::load(value + v * kWidth);
        KANTOR_UNROLL for (int r = 0; r < kRows; ++r) {
          const Batch factor(row[r * stride + j]);
          KANTOR_UNROLL for (int v = 0; v < U; ++v) {
            sum[r][v] = xsimd::fma(factor, column[v], sum[r][v]);
          }
        }
      }
      for (int r = 0; r < kRows; ++r) {
        T lanes[U * kWidth];
        for (int v = 0; v < U; ++v) sum[r][v].store_unaligned(lanes + v * kWidth);
        double* to = sums + (first + r) * num_values;
        for (std::int64_t k = 0; k < values_here; ++k) to[k] += static_cast<double>(lanes[k]);
      }
    }
  }

  static void add_products(const T* rows, std::int64_t stride, std::int64_t num_rows,
                           const T* values, std::int64_t n, std::int64_t num_values, T* scratch,
                           double* sums) {
    for (std::int64_t j = 0; j < n; j += kTermsInT) {
      const std::int64_t terms = n - j < kTermsInT ? n - j : kTermsInT;
      pack_values(values + j * num_values, terms, num_values, scratch);
      for (std::int64_t k = 0; k < num_values; k += kPanel) {
        const std::int64_t here = num_values - k < kPanel ? num_values - k : kPanel;
        const auto add = here <= kWidth       ? add_packed_products<1>
                         : here <= 2 * kWidth ? add_packed_products<2>
                                              : add_packed_products<3>;
        add(rows + j, stride, num_rows, scratch + k * terms, terms, here, num_values, sums + k);
      }
    }
  }

  /// [n, K] -> a panel of values after the other, [n, whole vectors] each, read in their order.
  static void pack_values(const T* values, std::int64_t n, std::int64_t num_values, T* packed) {
    for (std::int64_t l = 0; l < n; ++l) {
      for (std::int64_t k = 0; k < num_values; k += kPanel) {
        const std::int64_t here = num_values - k < kPanel ? num_values - k : kPanel;
        T* to = packed + k * n + l * round_up(here, kWidth);
        for (std::int64_t c = 0; c < here; ++c) to[c] = values[l * num_values + k + c];
        for (std::int64_t c = here; c < round_up(here, kWidth); ++c) to[c] = 0;
      }
    }
  }

  /// Adds the entry of this file to the table.
  static constexpr VectorKernels<T> complete(VectorKernels<T> table) {
    table.add_products = add_products;
    return table;
  }
};

template <class T, class Arch>
constexpr VectorKernels<T> vector_table() {
  return CodeLoops<Arch>::complete(ValueProductLoops<T, Arch>::complete(
      RowBlockLoops<T, Arch>::complete(Loops<T, Arch>::table())));
}

}  // namespace
}  // namespace kantor::kernels
