#pragma once

// What is made of register tiles before they leave the registers: exponentials with the running
// references and sums of their rows, column sums. As vector_loops.hpp, included only by the
// translation units of the instruction sets, and free of functions that they might share with
// others. Shapes as in row_block.hpp and register_tiles.hpp.

#include "runtime/kernels/register_tiles.hpp"

namespace kantor::kernels {
namespace {

template <class T, class Arch>
struct RowBlockLoops : RegisterTiles<T, Arch> {
  using Tiles = RegisterTiles<T, Arch>;
  using Tiles::kPanel;
  using Tiles::kRows;
  using Tiles::kVectors;
  using Tiles::kWidth;
  using typename Tiles::Batch;
  using typename Tiles::Tile;
  using typename Tiles::Vector;
  static constexpr int kPanelsInT = 8;  // so many are summed in T before the sum goes to double
  static constexpr T kInfinity = std::numeric_limits<T>::infinity();

  static T largest_lane(const Batch& lanes) {
    T values[kWidth];
    lanes.store_unaligned(values);
    T largest = -kInfinity;
    for (int k = 0; k < kWidth; ++k) largest = values[k] > largest ? values[k] : largest;
    return largest;
  }

  /// The running state of a block's rows.
  struct Rows {
    T shift[kMaxBlockRows];      // subtracted: the reference, or 0 while it is -inf
    T limit[kMaxBlockRows];      // a logit above asks for a new reference
    T reference[kMaxBlockRows];  // as recorded
    T partial[kMaxBlockRows * kWidth];
    double total[kMaxBlockRows * kWidth];

    explicit Rows(std::int64_t num_rows) {
      for (std::int64_t r = 0; r < num_rows; ++r) {
        shift[r] = 0;
        limit[r] = reference[r] = -kInfinity;
      }
      for (std::int64_t k = 0; k < num_rows * kWidth; ++k) {
        partial[k] = 0;
        total[k] = 0;
      }
    }

    void flush(std::int64_t num_rows) {
      for (std::int64_t k = 0; k < num_rows * kWidth; ++k) {
        total[k] += static_cast<double>(partial[k]);
        partial[k] = T{0};
      }
    }

    /// Takes the largest of the logits as reference in each row where one is above the limit.
    /// @param z [kRows, kPanel].
    __attribute__((noinline)) void raise(const T* z, std::int64_t first_row) {
      for (std::int64_t r = first_row; r < first_row + kRows; ++r, z += kPanel) {
        const Batch lanes = xsimd::max(xsimd::max(Vector::load(z), Vector::load(z + kWidth)),
                                       Vector::load(z + 2 * kWidth));
        if (!xsimd::any(lanes > Batch(limit[r]))) continue;
        const T largest = largest_lane(lanes);
        const double factor = reference[r] == -kInfinity
                                  ? 0
                                  : __builtin_exp2(static_cast<double>(reference[r] - largest));
        for (std::int64_t k = r * kWidth; k < (r + 1) * kWidth; ++k) {
          total[k] = factor * (total[k] + static_cast<double>(partial[k]));
          partial[k] = T{0};
        }
        shift[r] = reference[r] = largest;
        limit[r] = largest + static_cast<T>(kHeadroom);
      }
    }
  };

  static KANTOR_INLINE void keep_below_limits(Rows& rows, std::int64_t first_row, Tile& z) {
    auto is_over = Batch(rows.limit[first_row]) < xsimd::max(xsimd::max(z[0][0], z[0][1]), z[0][2]);
    KANTOR_UNROLL for (int r = 1; r < kRows; ++r) {
      const Batch largest = xsimd::max(xsimd::max(z[r][0], z[r][1]), z[r][2]);
      is_over = is_over | (Batch(rows.limit[first_row + r]) < largest);
    }
    if (__builtin_expect(xsimd::any(is_over), 0)) {
      // By way of memory, so that no register lives across the call.
      T copy[kRows * kPanel];
      KANTOR_UNROLL for (int r = 0; r < kRows; ++r) {
        KANTOR_UNROLL for (int v = 0; v < kVectors; ++v) {
          z[r][v].store_unaligned(copy + r * kPanel + v * kWidth);
        }
      }
      rows.raise(copy, first_row);
      KANTOR_UNROLL for (int r = 0; r < kRows; ++r) {
        KANTOR_UNROLL for (int v = 0; v < kVectors; ++v) {
          z[r][v] = Vector::load(copy + r * kPanel + v * kWidth);
        }
      }
    }
  }

  template <bool kWithTile>
  static void exponentials_of(const RowOperand<T>& operand, const ColumnPanels<T>& columns,
                              const RowBlock<T>& block) {
    const std::int64_t num_rows = round_up(block.count, kRows);
    Rows rows(num_rows);
    for (std::int64_t p = 0; p < columns.num_panels; ++p) {
      for (std::int64_t first = 0; first < num_rows; first += kRows) {
        Tile z;
        Tiles::logits(operand, columns, first, block.count, p, z);
        keep_below_limits(rows, first, z);
        KANTOR_UNROLL for (int r = 0; r < kRows; ++r) {
          const std::int64_t row = first + r;
          const Batch shift(rows.shift[row]);
          Batch sum = Vector::load(rows.partial + row * kWidth);
          KANTOR_UNROLL for (int v = 0; v < kVectors; ++v) {
            const Batch value = Vector::template exp2<false>(z[r][v] - shift);
            if constexpr (kWithTile) {
              value.store_unaligned(block.tile + p * block.panel_stride + row * block.row_stride +
                                    v * kWidth);
            }
            sum += value;
          }
          sum.store_unaligned(rows.partial + row * kWidth);
        }
        if constexpr (kWithTile) {
          T* references = block.panel_references + p * block.padded() + first;
          for (int r = 0; r < kRows; ++r) references[r] = rows.reference[first + r];
        }
      }
      if (p % kPanelsInT == kPanelsInT - 1) rows.flush(num_rows);
    }
    rows.flush(num_rows);
    for (std::int64_t r = 0; r < block.count; ++r) {
      double* lanes = rows.total + r * kWidth;
      for (int half = kWidth / 2; half > 0; half /= 2) {
        for (int k = 0; k < half; ++k) lanes[k] += lanes[k + half];
      }
      block.sums[r] = lanes[0];
      block.references[r] = static_cast<double>(rows.reference[r]);
    }
  }

  static void exponentials(const RowOperand<T>& operand, const ColumnPanels<T>& columns,
                           const RowBlock<T>& block) {
    if (block.tile == nullptr) {
      exponentials_of<false>(operand, columns, block);
    } else {
      exponentials_of<true>(operand, columns, block);
    }
  }

  /// 2^(panel reference - last reference) of W rows; 0 where every logit was -inf.
  static Batch reference_factor(const T* panel_references, const T* last) {
    return Vector::template exp2<false>(Vector::load(panel_references) - Vector::load(last));
  }

  /// The last references in T, 0 for rows of which every logit was -inf.
  static void last_references(const RowBlock<T>& block, T* last) {
    for (std::int64_t r = 0; r < block.padded(); ++r) {
      const bool is_known = r < block.count && block.references[r] != -kInfinity;
      last[r] = is_known ? static_cast<T>(block.references[r]) : T{0};
    }
  }

  static void add_columns(const RowBlock<T>& block, const ColumnPanels<T>& columns, const T* scales,
                          double* totals) {
    T last[kMaxBlockRows];
    T factors[kMaxBlockRows];
    std::int64_t live[kMaxBlockRows];
    std::int64_t num_live = 0;
    last_references(block, last);
    for (std::int64_t r = 0; r < block.count; ++r) {
      if (scales[r] != T{0}) live[num_live++] = r;
    }
    for (std::int64_t p = 0; p < columns.num_panels; ++p) {
      const T* references = block.panel_references + p * block.padded();
      for (std::int64_t r = 0; r < block.padded(); r += kWidth) {
        reference_factor(references + r, last + r).store_unaligned(factors + r);
      }
      const T* tile = block.tile + p * block.panel_stride;
      Batch sum[kVectors];
      KANTOR_UNROLL for (int v = 0; v < kVectors; ++v) sum[v] = Batch(T{0});
      for (std::int64_t k = 0; k < num_live; ++k) {
        const std::int64_t r = live[k];
        const Batch scale(scales[r] * factors[r]);
        KANTOR_UNROLL for (int v = 0; v < kVectors; ++v) {
          sum[v] =
              xsimd::fma(scale, Vector::load(tile + r * block.row_stride + v * kWidth), sum[v]);
        }
      }
      Tiles::add_panel(sum, totals + p * kPanel);
    }
  }

  static void use_last_references(const RowBlock<T>& block, const ColumnPanels<T>& columns) {
    T last[kMaxBlockRows];
    last_references(block, last);
    for (std::int64_t p = 0; p < columns.num_panels; ++p) {
      for (std::int64_t r = 0; r < block.count; ++r) {
        const T before = block.panel_references[p * block.padded() + r];
        if (before == last[r] || before == -kInfinity) continue;  // -inf: zeros
        const T factor = static_cast<T>(__builtin_exp2(static_cast<double>(before - last[r])));
        T* values = block.tile + p * block.panel_stride + r * block.row_stride;
        for (int c = 0; c < kPanel; ++c) values[c] *= factor;
      }
    }
  }

  static void plan_columns(const RowOperand<T>& operand, const ColumnPanels<T>& columns,
                           std::int64_t count, const T* shifts, const T* scales, double* totals) {
    for (std::int64_t p = 0; p < columns.num_panels; ++p) {
      Batch sum[kVectors];
      KANTOR_UNROLL for (int v = 0; v < kVectors; ++v) sum[v] = Batch(T{0});
      for (std::int64_t first = 0; first < count; first += kRows) {
        Tile z;
        Tiles::logits(operand, columns, first, count, p, z);
        KANTOR_UNROLL for (int r = 0; r < kRows; ++r) {
          const T scale = scales[first + r];
          if (scale == T{0}) continue;  // whatever the row holds
          const Batch shift(shifts[first + r]);
          KANTOR_UNROLL for (int v = 0; v < kVectors; ++v) {
            const Batch value = Vector::template exp2<true>(z[r][v] - shift);
            sum[v] = xsimd::fma(Batch(scale), value, sum[v]);
          }
        }
      }
      Tiles::add_panel(sum, totals + p * kPanel);
    }
  }

  /// Adds the entries of this file and of register_tiles.hpp to the table.
  static constexpr VectorKernels<T> complete(VectorKernels<T> table) {
    table.panel_width = kPanel;
    table.row_group = kRows;
    table.pack = Tiles::pack;
    table.exponentials = exponentials;
    table.add_columns = add_columns;
    table.use_last_references = use_last_references;
    table.costs = Tiles::costs;
    table.plan_columns = plan_columns;
    return table;
  }
};

}  // namespace
}  // namespace kantor::kernels
