#pragma once

// Kernel bodies of the forward pass. Exponents are to base 2. The bias of a column is
//   log2(e) (log b_j + (g_j - column part of C) / eps),
// of which the largest over all columns is taken off in double before it becomes a T; the row part
// of C joins in double at the end.

#include "runtime/kernels/cuda/pair_tiles.hpp"

namespace kantor::cuda {

constexpr double kLog2E = 1.4426950408889634;
constexpr double kLn2 = 0.6931471805599453;

/// Points that a block of PointParts takes.
constexpr int kPointsOfParts = 64;

/// The parts of costs that belong to one point: of rows, then of columns.
template <class T>
struct PointParts {
  static constexpr int kBlocksAtOnce = 8;
  struct Arguments {
    Side<T> rows;
    Side<T> columns;
    int d;
    PairCost cost;
    const double* centre;
    double* parts;  ///< [N + M]
  };

  /// A warp sums, every lane has the result.
  static KANTOR_DEVICE double part_of(const Arguments& a, const T* point, bool is_row) {
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

  static KANTOR_DEVICE void run(const Arguments& a, void*) {
    constexpr int kWarps = gpu::kBlockThreads / gpu::kWarpThreads;
    const std::int64_t first = static_cast<std::int64_t>(gpu::block_x()) * kPointsOfParts;
    const std::int64_t count = a.rows.count + a.columns.count;
    for (int p = gpu::thread_index() / gpu::kWarpThreads; p < kPointsOfParts; p += kWarps) {
      const std::int64_t i = first + p;
      if (i >= count) return;
      const bool is_row = i < a.rows.count;
      const double part =
          is_row ? part_of(a, a.rows.data + i * a.rows.stride, true)
                 : part_of(a, a.columns.data + (i - a.rows.count) * a.columns.stride, false);
      if (gpu::thread_index() % gpu::kWarpThreads == 0) a.parts[i] = part;
    }
  }
};

/// The largest of the block's numbers, of each thread one; the same in all threads.
/// @param shared 4 numbers, free again after the next barrier.
KANTOR_DEVICE double largest_of_block(double largest, double* shared) {
  for (int mask = gpu::kWarpThreads / 2; mask > 0; mask /= 2) {
    largest = gpu::larger(largest, gpu::shuffle_xor(largest, mask));
  }
  shared[gpu::thread_index() / gpu::kWarpThreads] = largest;
  gpu::sync_threads();
  for (int warp = 0; warp < gpu::kBlockThreads / gpu::kWarpThreads; ++warp) {
    largest = gpu::larger(largest, shared[warp]);
  }
  return largest;
}

/// Column biases, and the largest of each block, which has a column for each thread.
struct ColumnBiases {
  static constexpr int kBlocksAtOnce = 8;
  struct Arguments {
    std::int64_t m;
    const double* parts;  ///< [M] or null: 0
    const double* log_b;
    const double* g;
    double epsilon;
    double* biases;  ///< [M]
    double* maxima;  ///< one for each block
  };

  static KANTOR_DEVICE void run(const Arguments& a, void* shared) {
    const std::int64_t j =
        static_cast<std::int64_t>(gpu::block_x()) * gpu::kBlockThreads + gpu::thread_index();
    double bias = -HUGE_VAL;
    if (j < a.m) {
      const double part = a.parts == nullptr ? 0.0 : a.parts[j];
      // An absent point is absent whatever its potential is.
      const double log_b = a.log_b[j];
      bias = log_b == -HUGE_VAL ? log_b : kLog2E * (log_b + (a.g[j] - part) / a.epsilon);
      a.biases[j] = bias;
    }
    const double largest = largest_of_block(bias, static_cast<double*>(shared));
    if (gpu::thread_index() == 0) a.maxima[gpu::block_x()] = largest;
  }
};

/// The largest bias of all, 0 if there is none above -inf. One block.
struct LargestBias {
  static constexpr int kBlocksAtOnce = 8;
  struct Arguments {
    const double* maxima;
    int num_maxima;
    double* shift;
  };

  static KANTOR_DEVICE void run(const Arguments& a, void* shared) {
    double largest = -HUGE_VAL;
    for (int k = gpu::thread_index(); k < a.num_maxima; k += gpu::kBlockThreads) {
      largest = gpu::larger(largest, a.maxima[k]);
    }
    largest = largest_of_block(largest, static_cast<double*>(shared));
    if (gpu::thread_index() == 0) *a.shift = gpu::magnitude(largest) < HUGE_VAL ? largest : 0.0;
  }
};

/// Memory for sums over dimensions, from which later passes make the same costs.
template <class T>
struct KeptSums {
  T* sums;              ///< [N, stride]; behind a row's last, those of points at 0
  std::int64_t stride;  ///< a multiple of 4

  /// Keeps the thread's sums in the tile that begins at column `first`; rows are outer points.
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
/// whole number, so that rescaling a sum is exact.
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

  /// Sum of one of the thread's rows, relative to 2^largest; what is not yet in double, apart.
  struct RowSum {
    T largest = kLowest;
    T recent = T(0);
    double sum = 0;

    KANTOR_DEVICE void flush() {
      sum += static_cast<double>(recent);
      recent = T(0);
    }
  };

  static KANTOR_DEVICE void add_row(const Tiles& tiles, T (&logits)[kPerThread],
                                    const T (&biases)[kPerThread], RowSum& row) {
    T top = kLowest;
    KANTOR_UNROLL
    for (int c = 0; c < kPerThread; ++c) {
      logits[c] = tiles.logit(logits[c], biases[c]);
      top = gpu::larger(top, logits[c]);
    }
    if (top > row.largest) {  // rare after the first tiles
      const T raised = gpu::round_up(top);
      const T scale = gpu::fast_exp2(row.largest - raised);
      row.recent *= scale;
      row.sum *= static_cast<double>(scale);
      row.largest = raised;
    }
    T part = T(0);
    KANTOR_UNROLL
    for (int c = 0; c < kPerThread; ++c) part += gpu::fast_exp2(logits[c] - row.largest);
    row.recent += part;
  }

  static KANTOR_DEVICE void run(const Arguments& a, void* shared) {
    Tiles tiles(a.pairs, static_cast<T*>(shared));
    RowSum rows[4];
    const std::int64_t end = a.pairs.end_inner();
    int num_unflushed = 0;
    KANTOR_NO_UNROLL
    for (std::int64_t first = a.pairs.first_inner(); first < end; first += Tile<T>::kColumns) {
      typename Tiles::Sums logits;
      tiles.next(first, nullptr, logits);
      if constexpr (kKeeps) a.kept.template store<Tiles>(a.pairs, first, logits);
      T biases[kPerThread];
      tiles.biases(biases);
      KANTOR_UNROLL
      for (int r = 0; r < 4; ++r) add_row(tiles, logits[r], biases, rows[r]);
      if (++num_unflushed < kTilesBetweenFlushes) continue;
      num_unflushed = 0;
      KANTOR_UNROLL
      for (int r = 0; r < 4; ++r) rows[r].flush();
    }
    KANTOR_UNROLL
    for (int r = 0; r < 4; ++r) {
      rows[r].flush();
      store(a, r, static_cast<double>(rows[r].largest), rows[r].sum);
    }
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
    const double* largest;    ///< [chunks, N]
    const double* sums;       ///< [chunks, N]
    const double* row_parts;  ///< [N] or null: 0
    const double* given_f;    ///< [N] or null
    const double* shift;
    double epsilon;
    double* f;       ///< [N] or null
    double* biases;  ///< [N]
  };

  /// A warp takes a row: where rows are few, chunks are many.
  static constexpr int kRows = gpu::kBlockThreads / gpu::kWarpThreads;

  /// log2 of the sum over all columns, less the shift; -inf of nothing. The same in all lanes.
  static KANTOR_DEVICE double log2_sum(const Arguments& a, std::int64_t i) {
    const int lane = gpu::thread_index() % gpu::kWarpThreads;
    double largest = -HUGE_VAL;
    for (int chunk = lane; chunk < a.num_chunks; chunk += gpu::kWarpThreads) {
      largest = gpu::larger(largest, a.largest[chunk * a.n + i]);
    }
    for (int mask = gpu::kWarpThreads / 2; mask > 0; mask /= 2) {
      largest = gpu::larger(largest, gpu::shuffle_xor(largest, mask));
    }
    double sum = 0;
    for (int chunk = lane; chunk < a.num_chunks; chunk += gpu::kWarpThreads) {
      const std::int64_t place = chunk * a.n + i;
      sum += a.sums[place] * gpu::fast_exp2(a.largest[place] - largest);
    }
    for (int mask = gpu::kWarpThreads / 2; mask > 0; mask /= 2) sum += gpu::shuffle_xor(sum, mask);
    return sum == 0 ? -HUGE_VAL : largest + gpu::fast_log2(sum);
  }

  static KANTOR_DEVICE void run(const Arguments& a, void*) {
    const std::int64_t i =
        static_cast<std::int64_t>(gpu::block_x()) * kRows + gpu::thread_index() / gpu::kWarpThreads;
    if (i >= a.n) return;
    const double total = a.given_f == nullptr ? log2_sum(a, i) : 0;
    if (gpu::thread_index() % gpu::kWarpThreads != 0) return;
    const double shift = *a.shift;
    const double part = a.row_parts == nullptr ? 0.0 : a.row_parts[i];
    if (a.given_f != nullptr) {
      const double f = a.given_f[i];
      // A row without any mass adds nothing.
      a.biases[i] = f == HUGE_VAL ? -HUGE_VAL : kLog2E * (f - part) / a.epsilon + shift;
      return;
    }
    const bool is_empty = total == -HUGE_VAL;
    a.biases[i] = is_empty ? total : -total;
    if (a.f == nullptr) return;
    a.f[i] = is_empty ? HUGE_VAL : part - a.epsilon * kLn2 * (total + shift);
  }
};

}  // namespace kantor::cuda
