#pragma once

// Kernel bodies of the forward pass. Exponents are to base 2. The bias of a column is
//   log2(e) (log b_j + (g_j - column part of C) / eps),
// of which the largest over all columns is taken off in double before it becomes a T; the row part
// of C joins in double at the end.

#include "runtime/kernels/cuda/pair_tiles.hpp"

namespace kantor::cuda {

constexpr double kLog2E = 1.4426950408889634;
constexpr double kLn2 = 0.6931471805599453;

/// Points that a block of PreparePoints takes; so many columns share one of the maxima.
constexpr int kPreparedPoints = 64;

/// Row parts of the costs, column biases, and the largest bias of each block. Blocks of columns
/// first.
template <class T>
struct PreparePoints {
  static constexpr int kBlocksAtOnce = 8;
  struct Arguments {
    Side<T> rows;
    Side<T> columns;
    int d;
    PairCost cost;
    const double* centre;
    const double* log_b;
    const double* g;
    double epsilon;
    double* row_parts;  ///< [N]
    double* biases;     ///< [M]
    double* maxima;     ///< one for each block of columns
  };

  /// The part of the cost that belongs to one point; a warp sums, every lane has the result.
  static KANTOR_DEVICE double part_of(const Arguments& a, const T* point, bool is_row) {
    if (a.cost.form != CostForm::products) return 0;
    double sum = 0;
    for (int k = gpu::thread_index() % gpu::kWarpThreads; k < a.d; k += gpu::kWarpThreads) {
      const auto value = static_cast<double>(point[k]);
      sum += a.cost.squares * value * value;
      if (a.centre == nullptr) continue;
      // -<x + s, y + s> = -<x, y> - (<x, s> + <s, s>) - <y, s>.
      sum -= a.cost.products * (is_row ? value + a.centre[k] : value) * a.centre[k];
    }
    for (int mask = gpu::kWarpThreads / 2; mask > 0; mask /= 2) {
      sum += gpu::shuffle_xor(sum, mask);
    }
    return sum;
  }

  static KANTOR_DEVICE void run(const Arguments& a, void* shared) {
    const auto column_blocks =
        static_cast<int>((a.columns.count + kPreparedPoints - 1) / kPreparedPoints);
    const bool is_row = gpu::block_x() >= column_blocks;
    const Side<T>& side = is_row ? a.rows : a.columns;
    const std::int64_t first =
        static_cast<std::int64_t>(gpu::block_x() - (is_row ? column_blocks : 0)) * kPreparedPoints;
    constexpr int kWarps = gpu::kBlockThreads / gpu::kWarpThreads;
    const int warp = gpu::thread_index() / gpu::kWarpThreads;
    double largest = -HUGE_VAL;
    for (int p = warp; p < kPreparedPoints && first + p < side.count; p += kWarps) {
      const std::int64_t i = first + p;
      const double part = part_of(a, side.data + i * side.stride, is_row);
      if (gpu::thread_index() % gpu::kWarpThreads != 0) continue;
      if (is_row) {
        a.row_parts[i] = part;
      } else {
        // An absent point is absent whatever its potential is.
        const double log_b = a.log_b[i];
        const double bias =
            log_b == -HUGE_VAL ? log_b : kLog2E * (log_b + (a.g[i] - part) / a.epsilon);
        a.biases[i] = bias;
        largest = gpu::larger(largest, bias);
      }
    }
    if (is_row) return;
    auto* of_warps = static_cast<double*>(shared);
    if (gpu::thread_index() % gpu::kWarpThreads == 0) of_warps[warp] = largest;
    gpu::sync_threads();
    if (gpu::thread_index() != 0) return;
    for (int w = 0; w < kWarps; ++w) largest = gpu::larger(largest, of_warps[w]);
    a.maxima[gpu::block_x()] = largest;
  }
};

/// Memory for sums over dimensions, from which later passes make the same costs.
template <class T>
struct KeptSums {
  T* sums;              ///< [N, stride]; behind a row's last, those of points at 0
  std::int64_t stride;  ///< a multiple of 4

  /// Of the thread's pairs in the tile that begins at the column `first`; rows are outer points.
  template <class Tiles>
  KANTOR_DEVICE void store(const Pairs<T>& pairs, std::int64_t first,
                           const typename Tiles::Sums& from) const {
    KANTOR_UNROLL
    for (int r = 0; r < 4; ++r) {
      const std::int64_t i = pairs.first_outer() + Tiles::row() + r;
      KANTOR_UNROLL
      for (int group = 0; group < Tile<T>::kGroups; ++group) {
        const std::int64_t j = first + Tiles::column(4 * group);
        if (i >= pairs.outer.count || j >= stride) continue;
        gpu::Four<T> four;
        KANTOR_UNROLL
        for (int c = 0; c < 4; ++c) four.of[c] = from[r][4 * group + c];
        *reinterpret_cast<gpu::Four<T>*>(sums + i * stride + j) = four;
      }
    }
  }
};

/// largest and sum over a chunk of columns of 2^(logit - largest), for each row. A thread keeps its
/// own pair for each of its rows: nothing is exchanged before the end. `largest` is rounded up to a
/// whole number, so that rescaling a sum is exact. Sums are of T within a tile, double across.
template <class T, SumsFrom kFrom, bool kKeeps>
struct Forward {
  struct Arguments {
    Pairs<T> pairs;    ///< outer: rows; inner: columns
    double* largest;   ///< [chunks, N]
    double* sums;      ///< [chunks, N]
    KeptSums<T> kept;  ///< out, with kKeeps: of these pairs
  };
  using Tiles = PairTiles<T, kFrom>;
  static constexpr int kBlocksAtOnce = kBlocksOfTiles<T, kFrom>;
  static constexpr int kPerThread = Tile<T>::kPerThread;
  static constexpr T kLowest = sizeof(T) == 4 ? T(-3e38) : T(-1e300);

  static KANTOR_DEVICE void add_row(const Tiles& tiles, T (&logits)[kPerThread],
                                    const T (&biases)[kPerThread], T& largest, double& sum) {
    T top = kLowest;
    KANTOR_UNROLL
    for (int c = 0; c < kPerThread; ++c) {
      logits[c] = tiles.logit(logits[c], biases[c]);
      top = gpu::larger(top, logits[c]);
    }
    if (top > largest) {  // rare after the first tiles
      const T raised = gpu::round_up(top);
      sum *= static_cast<double>(gpu::fast_exp2(largest - raised));
      largest = raised;
    }
    T part = T(0);
    KANTOR_UNROLL
    for (int c = 0; c < kPerThread; ++c) part += gpu::fast_exp2(logits[c] - largest);
    sum += static_cast<double>(part);
  }

  static KANTOR_DEVICE void run(const Arguments& a, void* shared) {
    Tiles tiles(a.pairs, static_cast<T*>(shared));
    T largest[4] = {kLowest, kLowest, kLowest, kLowest};
    double sums[4] = {0, 0, 0, 0};
    const std::int64_t end = a.pairs.end_inner();
    KANTOR_NO_UNROLL
    for (std::int64_t first = a.pairs.first_inner(); first < end; first += Tile<T>::kColumns) {
      typename Tiles::Sums logits;
      tiles.next(first, nullptr, logits);
      if constexpr (kKeeps) a.kept.template store<Tiles>(a.pairs, first, logits);
      T biases[kPerThread];
      tiles.biases(biases);
      KANTOR_UNROLL
      for (int r = 0; r < 4; ++r) add_row(tiles, logits[r], biases, largest[r], sums[r]);
    }
    KANTOR_UNROLL
    for (int r = 0; r < 4; ++r) store(a, r, static_cast<double>(largest[r]), sums[r]);
  }

  /// Joins the eight threads of a row.
  static KANTOR_DEVICE void store(const Arguments& a, int r, double largest, double sum) {
    for (int mask = 1; mask < 8; mask *= 2) {
      const double other_largest = gpu::shuffle_xor(largest, mask);
      const double other_sum = gpu::shuffle_xor(sum, mask);
      const double joint = gpu::larger(largest, other_largest);
      sum =
          sum * gpu::fast_exp2(largest - joint) + other_sum * gpu::fast_exp2(other_largest - joint);
      largest = joint;
    }
    const std::int64_t i = a.pairs.first_outer() + Tiles::row() + r;
    if (gpu::thread_index() % 8 != 0 || i >= a.pairs.outer.count) return;
    a.largest[gpu::block_y() * a.pairs.outer.count + i] = largest;
    a.sums[gpu::block_y() * a.pairs.outer.count + i] = sum;
  }
};

/// Soft minima from the chunks (or given ones), and the rows' biases of the passes that follow:
/// log2 S_ij = row bias_i + column bias_j - shift + scale * sum over dimensions.
struct FinishRows {
  static constexpr int kBlocksAtOnce = 8;
  struct Arguments {
    std::int64_t n;
    int num_chunks;
    const double* largest;  ///< [chunks, N]
    const double* sums;     ///< [chunks, N]
    const double* row_parts;
    const double* given_f;  ///< [N] or null
    const double* maxima;
    int num_maxima;
    double epsilon;
    double* f;       ///< [N] or null
    double* biases;  ///< [N]
  };

  /// log2 of the sum over all columns, less the shift; -inf of nothing.
  static KANTOR_DEVICE double log2_sum(const Arguments& a, std::int64_t i) {
    double largest = a.largest[i];
    for (int chunk = 1; chunk < a.num_chunks; ++chunk) {
      largest = gpu::larger(largest, a.largest[chunk * a.n + i]);
    }
    double sum = 0;
    for (int chunk = 0; chunk < a.num_chunks; ++chunk) {
      const std::int64_t place = chunk * a.n + i;
      sum += a.sums[place] * gpu::fast_exp2(a.largest[place] - largest);
    }
    return sum == 0 ? -HUGE_VAL : largest + gpu::fast_log2(sum);
  }

  static KANTOR_DEVICE void run(const Arguments& a, void* shared) {
    const double shift = largest_of(a.maxima, a.num_maxima, static_cast<double*>(shared));
    const std::int64_t i =
        static_cast<std::int64_t>(gpu::block_x()) * gpu::kBlockThreads + gpu::thread_index();
    if (i >= a.n) return;
    if (a.given_f != nullptr) {
      const double f = a.given_f[i];
      // A row without any mass adds nothing.
      a.biases[i] = f == HUGE_VAL ? -HUGE_VAL : kLog2E * (f - a.row_parts[i]) / a.epsilon + shift;
      return;
    }
    const double total = log2_sum(a, i);
    const bool is_empty = total == -HUGE_VAL;
    a.biases[i] = is_empty ? total : -total;
    if (a.f == nullptr) return;
    a.f[i] = is_empty ? HUGE_VAL : a.row_parts[i] - a.epsilon * kLn2 * (total + shift);
  }
};

}  // namespace kantor::cuda
