#pragma once

// The register tiles of vector_kernels.hpp for any xsimd architecture: a few rows times one panel
// of logits, or of costs. As vector_loops.hpp, included only by the translation units of the
// instruction sets, and free of functions that they might share with others.
// Shapes as in row_block.hpp; a register tile has kRows rows and kVectors vectors of kWidth.

#include "runtime/kernels/row_block.hpp"
#include "runtime/kernels/vector_loops.hpp"

#define KANTOR_INLINE inline __attribute__((always_inline))
#define KANTOR_UNROLL _Pragma("GCC unroll 16")

namespace kantor::kernels {
namespace {

template <class T, class Arch>
struct RegisterTiles {
  using Vector = Loops<T, Arch>;
  using Batch = typename Vector::Batch;
  static constexpr int kWidth = static_cast<int>(Vector::kWidth);
  // 512-bit vectors have 32 registers, the others 16.
  static constexpr int kRows = kWidth * sizeof(T) == 64 ? 8 : 4;
  static constexpr int kVectors = 3;
  static constexpr int kPanel = kVectors * kWidth;
  static constexpr int kPanelsAhead = 2;  // of stored costs that are fetched early
  static_assert(kTileRows % kRows == 0 && kRowGroup % kRows == 0 && kRowGroup % kWidth == 0);

  using Tile = Batch[kRows][kVectors];

  /// z = <x_r, y_j> for one group of rows and one panel.
  static KANTOR_INLINE void products(const T* x, const T* y, std::int64_t depth, Tile& z) {
    KANTOR_UNROLL for (int r = 0; r < kRows; ++r) {
      KANTOR_UNROLL for (int v = 0; v < kVectors; ++v) z[r][v] = Batch(T{0});
    }
    for (std::int64_t k = 0; k < depth; ++k, x += kRows, y += kPanel) {
      Batch column[kVectors];
      KANTOR_UNROLL for (int v = 0; v < kVectors; ++v) column[v] = Vector::load(y + v * kWidth);
      KANTOR_UNROLL for (int r = 0; r < kRows; ++r) {
        const Batch row(x[r]);
        KANTOR_UNROLL for (int v = 0; v < kVectors; ++v) {
          z[r][v] = xsimd::fma(row, column[v], z[r][v]);
        }
      }
    }
  }

  /// z = -scale C_rj + bias_j. Behind the last row or column it repeats a cost, which nobody uses.
  static KANTOR_INLINE void scaled_costs(const RowOperand<T>& operand, std::int64_t first_row,
                                         std::int64_t num_rows, std::int64_t first_column,
                                         std::int64_t num_columns, const T* bias, Tile& z) {
    const Batch scale(operand.scale);
    const std::int64_t columns_here = num_columns - first_column;
    KANTOR_UNROLL for (int r = 0; r < kRows; ++r) {
      const std::int64_t row = first_row + r < num_rows ? first_row + r : num_rows - 1;
      const T* costs = operand.costs + row * operand.stride + first_column;
      T part[kPanel];
      if (columns_here < kPanel) {
        for (std::int64_t c = 0; c < kPanel; ++c) part[c] = costs[c < columns_here ? c : 0];
        costs = part;
      }
      // A block's rows are more streams than the processor foresees.
      KANTOR_UNROLL for (int v = 0; v < kVectors; ++v) {
        __builtin_prefetch(costs + kPanelsAhead * kPanel + v * kWidth);
      }
      KANTOR_UNROLL for (int v = 0; v < kVectors; ++v) {
        z[r][v] =
            xsimd::fnma(scale, Vector::load(costs + v * kWidth), Vector::load(bias + v * kWidth));
      }
    }
  }

  /// Logits of rows first_row .. first_row + kRows - 1 and of one panel.
  static KANTOR_INLINE void logits(const RowOperand<T>& operand, const ColumnPanels<T>& columns,
                                   std::int64_t first_row, std::int64_t num_rows,
                                   std::int64_t panel, Tile& z) {
    const T* bias = columns.bias + panel * kPanel;
    if (operand.costs != nullptr) {
      scaled_costs(operand, first_row, num_rows, panel * kPanel, columns.num_columns, bias, z);
      return;
    }
    products(operand.points + first_row * operand.depth,
             columns.points + panel * operand.depth * kPanel, operand.depth, z);
    // Last, not as the sum's first term: rounded once, however large it is.
    KANTOR_UNROLL for (int v = 0; v < kVectors; ++v) {
      const Batch added = Vector::load(bias + v * kWidth);
      KANTOR_UNROLL for (int r = 0; r < kRows; ++r) z[r][v] += added;
    }
  }

  /// totals_c += sum of the panel's column c.
  static KANTOR_INLINE void add_panel(const Batch (&sum)[kVectors], double* totals) {
    T lanes[kPanel];
    KANTOR_UNROLL for (int v = 0; v < kVectors; ++v) sum[v].store_unaligned(lanes + v * kWidth);
    for (int c = 0; c < kPanel; ++c) totals[c] += static_cast<double>(lanes[c]);
  }

  static void costs(const RowOperand<T>& operand, const ColumnPanels<T>& columns,
                    std::int64_t count, const double* row_parts, const double* column_parts,
                    T least, std::int64_t stride, T* tile) {
    const Batch unit(static_cast<T>(1 / columns.scale));
    for (std::int64_t p = 0; p < columns.num_panels; ++p) {
      const std::int64_t first_column = p * kPanel;
      const std::int64_t columns_here = columns.num_columns - first_column;
      T parts[kPanel];
      for (std::int64_t c = 0; c < kPanel; ++c) {
        parts[c] = c < columns_here ? static_cast<T>(column_parts[first_column + c]) : T{0};
      }
      for (std::int64_t first = 0; first < count; first += kRows) {
        Tile z;
        products(operand.points + first * operand.depth,
                 columns.points + p * operand.depth * kPanel, operand.depth, z);
        KANTOR_UNROLL for (int r = 0; r < kRows; ++r) {
          if (first + r >= count) break;
          const Batch row(static_cast<T>(row_parts[first + r]));
          T* to = tile + (first + r) * stride + first_column;
          KANTOR_UNROLL for (int v = 0; v < kVectors; ++v) {
            const Batch part = row + Vector::load(parts + v * kWidth);
            const Batch cost = xsimd::max(xsimd::fnma(unit, z[r][v], part), Batch(least));
            const std::int64_t lanes = columns_here - v * kWidth;
            if (lanes >= kWidth) {
              cost.store_unaligned(to + v * kWidth);
            } else if (lanes > 0) {
              Vector::store_part(cost, to + v * kWidth, lanes);
            }
          }
        }
      }
    }
  }

  static void pack(const T* points, std::int64_t count, std::int64_t d, std::int64_t group, T scale,
                   T* packed) {
    constexpr std::int64_t block = 64 / sizeof(T);  // of D: a cache line of each point
    for (std::int64_t first = 0; first < count; first += group, packed += group * d) {
      const std::int64_t points_here = count - first < group ? count - first : group;
      for (std::int64_t k = 0; k < d; k += block) {
        const std::int64_t end = k + block < d ? k + block : d;
        for (std::int64_t c = 0; c < points_here; ++c) {
          const T* from = points + (first + c) * d;
          for (std::int64_t l = k; l < end; ++l) packed[l * group + c] = scale * from[l];
        }
        for (std::int64_t c = points_here; c < group; ++c) {
          for (std::int64_t l = k; l < end; ++l) packed[l * group + c] = 0;
        }
      }
    }
  }
};

}  // namespace
}  // namespace kantor::kernels
