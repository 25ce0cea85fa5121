#pragma once

// Kernel bodies of the passes over the plan, once the rows' biases are known. They return to the
// pairs: a row's sum is known only after its last column. The costs are then made from points anew,
// or, where these have many dimensions, read from where the pass before kept the sums over them: of
// so many rows at a time that they are still in the card's cache (soft_min_launches.hpp). The
// columns are outer points of their pass, whose sums over the rows stay within a thread and a
// block: no atomics, the same bits in every run.

#include "runtime/kernels/cuda/soft_min_bodies.hpp"

namespace kantor::cuda {

/// sum over a chunk of inner points of weight * 2^logit, for each outer point: column weights, with
/// weights of any sign.
template <class T, SumsFrom kFrom>
struct WeightedSums {
  struct Arguments {
    Pairs<T> pairs;         ///< outer: columns; inner: rows
    const double* weights;  ///< [N]
    double* sums;           ///< [chunks, M]
    bool adds;              ///< to what is there, of rows before
  };
  using Tiles = PairTiles<T, kFrom>;
  static constexpr int kBlocksAtOnce = kBlocksOfTiles<T, kFrom>;
  static constexpr int kPerThread = Tile<T>::kPerThread;

  static KANTOR_DEVICE void run(const Arguments& a, void* shared) {
    Tiles tiles(a.pairs, static_cast<T*>(shared));
    T outer_biases[4];
    KANTOR_UNROLL
    for (int r = 0; r < 4; ++r) outer_biases[r] = tiles.outer_bias(r);
    double sums[4] = {0, 0, 0, 0};
    T recent[4] = {};  // not yet in double
    int num_unflushed = 0;
    const std::int64_t end = a.pairs.end_inner();
    const auto flush = [&] {
      KANTOR_UNROLL
      for (int r = 0; r < 4; ++r) {
        sums[r] += static_cast<double>(recent[r]);
        recent[r] = T(0);
      }
      num_unflushed = 0;
    };
    KANTOR_NO_UNROLL
    for (std::int64_t first = a.pairs.first_inner(); first < end; first += Tile<T>::kColumns) {
      typename Tiles::Sums logits;
      tiles.next(first, a.weights, logits);
      T biases[kPerThread];
      T weights[kPerThread];
      tiles.biases(biases);
      tiles.weights(weights);
      KANTOR_UNROLL
      for (int r = 0; r < 4; ++r) {
        T part = T(0);
        KANTOR_UNROLL
        for (int c = 0; c < kPerThread; ++c) {
          const T logit = tiles.logit(logits[r][c], biases[c]) + outer_biases[r];
          part = gpu::fused(weights[c], gpu::fast_exp2(logit), part);
        }
        recent[r] += part;
      }
      if (++num_unflushed == kTilesBetweenFlushes) flush();
    }
    flush();
    KANTOR_UNROLL
    for (int r = 0; r < 4; ++r) {
      for (int mask = 1; mask < 8; mask *= 2) sums[r] += gpu::shuffle_xor(sums[r], mask);
      const std::int64_t i = a.pairs.first_outer() + Tiles::row() + r;
      if (gpu::thread_index() % 8 != 0 || i >= a.pairs.outer.count) continue;
      double& place = a.sums[gpu::block_y() * a.pairs.outer.count + i];
      place = a.adds ? place + sums[r] : sums[r];
    }
  }
};

/// sum over a chunk of columns of 2^logit * values_j, for each row: barycentric averages. A tile of
/// the plan goes through shared memory to meet kValues columns of the values at a time.
template <class T, SumsFrom kFrom>
struct ValueSums {
  struct Arguments {
    Pairs<T> pairs;           ///< outer: rows; inner: columns
    const T* values;          ///< [M, K]
    std::int64_t num_values;  ///< K
    double* sums;             ///< [chunks, N, K]
  };
  using Tiles = PairTiles<T, kFrom>;
  static constexpr int kBlocksAtOnce = sizeof(T) == 4 ? 4 : 2;
  using Shape = Tile<T>;
  static constexpr int kValues = 32;
  /// Numbers of T in shared memory behind those of the tiles.
  static constexpr int kNumbers = Shape::kColumns * (Shape::kRowStride + kValues);

  static KANTOR_DEVICE void load_values(const Arguments& a, std::int64_t first,
                                        std::int64_t first_value, T* to) {
    const int value = gpu::thread_index() % kValues;
    constexpr int kColumnsAtOnce = gpu::kBlockThreads / kValues;
    for (int c = gpu::thread_index() / kValues; c < Shape::kColumns; c += kColumnsAtOnce) {
      const std::int64_t j = first + c;
      const bool is_there = j < a.pairs.inner.count && first_value + value < a.num_values;
      to[c * kValues + value] = is_there ? a.values[j * a.num_values + first_value + value] : T(0);
    }
  }

  static KANTOR_DEVICE void store_plan(const Tiles& tiles, const typename Tiles::Sums& logits,
                                       const T (&row_biases)[4], T* plan) {
    T biases[Shape::kPerThread];
    tiles.biases(biases);
    KANTOR_UNROLL
    for (int c = 0; c < Shape::kPerThread; ++c) {
      gpu::Four<T> four;
      KANTOR_UNROLL
      for (int r = 0; r < 4; ++r) {
        four.of[r] = gpu::fast_exp2(tiles.logit(logits[r][c], biases[c]) + row_biases[r]);
      }
      *reinterpret_cast<gpu::Four<T>*>(plan + Tiles::column(c) * Shape::kRowStride + Tiles::row()) =
          four;
    }
  }

  /// Adds to (or with is_first sets) what is in memory, and starts anew.
  static KANTOR_DEVICE void flush(const Arguments& a, std::int64_t first_value, bool is_first,
                                  T (&sums)[4][4]) {
    KANTOR_UNROLL
    for (int r = 0; r < 4; ++r) {
      const std::int64_t i = a.pairs.first_outer() + Tiles::row() + r;
      KANTOR_UNROLL
      for (int v = 0; v < 4; ++v) {
        const std::int64_t value = first_value + gpu::thread_index() % 8 * 4 + v;
        const auto sum = static_cast<double>(sums[r][v]);
        sums[r][v] = T(0);
        if (i >= a.pairs.outer.count || value >= a.num_values) continue;
        double& place = a.sums[(gpu::block_y() * a.pairs.outer.count + i) * a.num_values + value];
        place = is_first ? sum : place + sum;
      }
    }
  }

  static KANTOR_DEVICE void add_products(const T* plan, const T* values, T (&sums)[4][4]) {
    KANTOR_UNROLL_FOUR
    for (int c = 0; c < Shape::kColumns; ++c) {
      const gpu::Four<T> p = gpu::four_at(plan + c * Shape::kRowStride + Tiles::row());
      const gpu::Four<T> v = gpu::four_at(values + c * kValues + gpu::thread_index() % 8 * 4);
      KANTOR_UNROLL
      for (int r = 0; r < 4; ++r) {
        KANTOR_UNROLL
        for (int k = 0; k < 4; ++k) sums[r][k] = gpu::fused(p.of[r], v.of[k], sums[r][k]);
      }
    }
  }

  static KANTOR_DEVICE void run(const Arguments& a, void* shared) {
    Tiles tiles(a.pairs, static_cast<T*>(shared));
    T* plan =
        static_cast<T*>(shared) + tile_numbers<T, kFrom>(a.pairs.d);  // [kColumns, kRowStride]
    T* values = plan + Shape::kColumns * Shape::kRowStride;           // [kColumns, kValues]
    T row_biases[4];
    KANTOR_UNROLL
    for (int r = 0; r < 4; ++r) row_biases[r] = tiles.outer_bias(r);
    T sums[4][4] = {};
    const std::int64_t end = a.pairs.end_inner();
    const int flush_after = a.num_values > kValues ? 1 : kTilesBetweenFlushes;
    int num_unflushed = 0;
    bool is_first = true;
    KANTOR_NO_UNROLL
    for (std::int64_t first = a.pairs.first_inner(); first < end; first += Shape::kColumns) {
      typename Tiles::Sums logits;
      tiles.next(first, nullptr, logits);
      store_plan(tiles, logits, row_biases, plan);
      const bool is_due = ++num_unflushed == flush_after || first + Shape::kColumns >= end;
      KANTOR_NO_UNROLL
      for (std::int64_t value = 0; value < a.num_values; value += kValues) {
        if (value > 0) gpu::sync_threads();  // the values before have been read
        load_values(a, first, value, values);
        gpu::sync_threads();
        add_products(plan, values, sums);
        if (is_due) flush(a, value, is_first, sums);
      }
      if (!is_due) continue;
      num_unflushed = 0;
      is_first = false;
    }
    if (!is_first) return;
    KANTOR_NO_UNROLL
    for (std::int64_t value = 0; value < a.num_values; value += kValues)
      flush(a, value, true, sums);
  }
};

/// Keeps the sums over dimensions, and does nothing else.
template <class T, SumsFrom kFrom>
struct KeepSums {
  struct Arguments {
    Pairs<T> pairs;  ///< outer: rows; inner: columns
    KeptSums<T> kept;
  };
  using Tiles = PairTiles<T, kFrom>;
  static constexpr int kBlocksAtOnce = kBlocksOfTiles<T, kFrom>;

  static KANTOR_DEVICE void run(const Arguments& a, void* shared) {
    Tiles tiles(a.pairs, static_cast<T*>(shared));
    const std::int64_t end = a.pairs.end_inner();
    KANTOR_NO_UNROLL
    for (std::int64_t first = a.pairs.first_inner(); first < end; first += Tile<T>::kColumns) {
      typename Tiles::Sums sums;
      tiles.next(first, nullptr, sums);
      a.kept.template store<Tiles>(a.pairs, first, sums);
    }
  }
};

/// Adds the chunks in their order.
struct SumChunks {
  static constexpr int kBlocksAtOnce = 8;
  struct Arguments {
    std::int64_t count;
    int num_chunks;
    const double* chunks;  ///< [num_chunks, count]
    double* sums;          ///< [count]
  };

  static KANTOR_DEVICE void run(const Arguments& a, void*) {
    const std::int64_t i =
        static_cast<std::int64_t>(gpu::block_x()) * gpu::kBlockThreads + gpu::thread_index();
    if (i >= a.count) return;
    double sum = 0;
    for (int chunk = 0; chunk < a.num_chunks; ++chunk) sum += a.chunks[chunk * a.count + i];
    a.sums[i] = sum;
  }
};

}  // namespace kantor::cuda
