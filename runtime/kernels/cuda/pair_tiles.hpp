#pragma once

// Tiles of pairs of points: loads into shared memory, and the sum over dimensions that a cost is
// made of, in registers. Points are in shared memory by dimension, [kDepth, points].

#include "runtime/kernels/cuda/pairs.hpp"

namespace kantor::cuda {

/// tile[k, p] = point first + p in dimension first_k + k, 0 beyond the last point; k < depth <= 16.
template <class T>
KANTOR_DEVICE void load_tile(const Side<T>& side, std::int64_t first, int num_points, int first_k,
                             int depth, int stride, T* tile) {
  // Neighbouring threads read neighbouring dimensions, as many as there are.
  const int shift = depth > 8 ? 4 : depth > 4 ? 3 : depth > 2 ? 2 : depth > 1 ? 1 : 0;
  const int k = gpu::thread_index() & ((1 << shift) - 1);
  if (k >= depth) return;
  const int step = gpu::kBlockThreads >> shift;
  const std::int64_t left = side.count - first;
  const int num_there = left < num_points ? static_cast<int>(left) : num_points;
  const int first_p = gpu::thread_index() >> shift;
  const T* from = side.data + (first + first_p) * side.stride + first_k + k;
  KANTOR_NO_UNROLL
  for (int p = first_p; p < num_points; p += 4 * step) {
    T values[4];  // four loads on their way at once
    KANTOR_UNROLL
    for (int q = 0; q < 4; ++q) {
      values[q] = p + q * step < num_there ? *from : T(0);
      from += step * side.stride;
    }
    KANTOR_UNROLL
    for (int q = 0; q < 4; ++q) {
      if (p + q * step < num_points) tile[k * stride + p + q * step] = values[q];
    }
  }
}

/// The tiles of one block.
template <class T, SumsFrom kFrom>
class PairTiles {
 public:
  using Shape = Tile<T>;
  /// [4 outer, kPerThread inner] points of a thread.
  using Sums = T[4][Shape::kPerThread];

  /// @param shared tile_numbers(d), 16-byte aligned.
  KANTOR_DEVICE PairTiles(const Pairs<T>& pairs, T* shared)
      : pairs_(pairs), is_resident_(pairs.d <= Shape::kResidentDepth) {
    biases_ = shared;
    weights_ = biases_ + Shape::kColumns;
    inner_ = weights_ + Shape::kColumns;
    outer_ = inner_ + Shape::kDepth * Shape::kColumnStride;
    const double shift = *pairs.shift;
    inner_shift_ = pairs.columns_are_inner ? shift : 0.0;
    outer_shift_ = pairs.columns_are_inner ? 0.0 : shift;
    if constexpr (kFrom != SumsFrom::memory) {
      if (!is_resident_) return;
      for (int k = 0; k < pairs.d; k += Shape::kDepth) {
        load_outer(k, outer_ + k * Shape::kRowStride);
      }
    }
  }

  /// First of the thread's 4 outer points in the tile.
  KANTOR_DEVICE static int row() { return gpu::thread_index() / 8 * 4; }
  /// Its inner points.
  KANTOR_DEVICE static int column(int c) {
    return c / 4 * 32 + gpu::thread_index() % 8 * 4 + c % 4;
  }

  /// Bias of the thread's outer point r; -inf beyond the last.
  KANTOR_DEVICE T outer_bias(int r) const {
    const std::int64_t i = pairs_.first_outer() + row() + r;
    return i < pairs_.outer.count ? static_cast<T>(pairs_.outer.bias[i] - outer_shift_)
                                  : static_cast<T>(-HUGE_VAL);
  }

  /// Sums over the dimensions of the tile that begins at the inner point `first`; also brings the
  /// tile's biases, and with inner_weights [count] its weights, into shared memory.
  KANTOR_DEVICE void next(std::int64_t first, const double* inner_weights, Sums& sums) {
    if constexpr (kFrom == SumsFrom::memory) {
      read(first, sums);
      gpu::sync_threads();  // the biases before have been read
      load_biases(first, inner_weights);
      gpu::sync_threads();
    } else {
      make(first, inner_weights, sums);
    }
  }

  /// Base-2 logit of a pair, without the outer bias.
  KANTOR_DEVICE T logit(T sum, T bias) const {
    if (kFrom != SumsFrom::products && pairs_.form == CostForm::distance) sum = gpu::fast_sqrt(sum);
    return gpu::fused(pairs_.scale, sum, bias);
  }
  /// Biases and weights of the thread's inner points.
  KANTOR_DEVICE void biases(T (&to)[Shape::kPerThread]) const { pick(biases_, to); }
  KANTOR_DEVICE void weights(T (&to)[Shape::kPerThread]) const { pick(weights_, to); }

 private:
  KANTOR_DEVICE int depth(int k) const {
    return pairs_.d - k < Shape::kDepth ? pairs_.d - k : Shape::kDepth;
  }

  KANTOR_DEVICE void load_outer(int k, T* to) {
    load_tile(pairs_.outer, pairs_.first_outer(), Shape::kRows, k, depth(k), Shape::kRowStride, to);
  }

  /// An inner point of weight 0 has the bias -inf: it adds nothing even where the pair overflows.
  KANTOR_DEVICE void load_biases(std::int64_t first, const double* inner_weights) {
    const int column = gpu::thread_index();
    if (column >= Shape::kColumns) return;
    const std::int64_t j = first + column;
    const bool is_there = j < pairs_.inner.count;
    const double weight = inner_weights == nullptr ? 1.0 : is_there ? inner_weights[j] : 0.0;
    biases_[column] = is_there && weight != 0 ? static_cast<T>(pairs_.inner.bias[j] - inner_shift_)
                                              : static_cast<T>(-HUGE_VAL);
    weights_[column] = static_cast<T>(weight);
  }

  KANTOR_DEVICE static void pick(const T* from, T (&to)[Shape::kPerThread]) {
    KANTOR_UNROLL
    for (int group = 0; group < Shape::kGroups; ++group) {
      const gpu::Four<T> four = gpu::four_at(from + column(4 * group));
      KANTOR_UNROLL
      for (int c = 0; c < 4; ++c) to[4 * group + c] = four.of[c];
    }
  }

  KANTOR_DEVICE void make(std::int64_t first, const double* inner_weights, Sums& sums) {
    KANTOR_UNROLL
    for (int r = 0; r < 4; ++r) {
      KANTOR_UNROLL
      for (int c = 0; c < Shape::kPerThread; ++c) sums[r][c] = T(0);
    }
    KANTOR_NO_UNROLL
    for (int k = 0; k < pairs_.d; k += Shape::kDepth) {
      gpu::sync_threads();  // the tile before has been read
      if (k == 0) load_biases(first, inner_weights);
      load_tile(pairs_.inner, first, Shape::kColumns, k, depth(k), Shape::kColumnStride, inner_);
      if (!is_resident_) load_outer(k, outer_);
      gpu::sync_threads();
      add(is_resident_ ? outer_ + k * Shape::kRowStride : outer_, depth(k), sums);
    }
  }

  /// From memory; 0 beyond the last point.
  KANTOR_DEVICE void read(std::int64_t first, Sums& sums) const {
    if (pairs_.columns_are_inner) {
      KANTOR_UNROLL
      for (int r = 0; r < 4; ++r) {
        KANTOR_UNROLL
        for (int group = 0; group < Shape::kGroups; ++group) {
          const gpu::Four<T> four =
              four_sums(pairs_.first_outer() + row() + r, first + column(4 * group));
          KANTOR_UNROLL
          for (int c = 0; c < 4; ++c) sums[r][4 * group + c] = four.of[c];
        }
      }
      return;
    }
    KANTOR_UNROLL
    for (int c = 0; c < Shape::kPerThread; ++c) {
      const gpu::Four<T> four = four_sums(first + column(c), pairs_.first_outer() + row());
      KANTOR_UNROLL
      for (int r = 0; r < 4; ++r) sums[r][c] = four.of[r];
    }
  }

  KANTOR_DEVICE gpu::Four<T> four_sums(std::int64_t i, std::int64_t j) const {
    const std::int64_t num_rows =
        pairs_.columns_are_inner ? pairs_.outer.count : pairs_.inner.count;
    if (i >= num_rows || j >= pairs_.sums_stride) return {};
    return gpu::four_at(pairs_.sums + i * pairs_.sums_stride + j);
  }

  KANTOR_DEVICE void add(const T* outer, int depth, Sums& sums) const {
    if (kFrom == SumsFrom::products) {
      KANTOR_UNROLL_FOUR
      for (int k = 0; k < depth; ++k) {
        add_one(outer, k, sums, [](T x, T y, T sum) { return gpu::fused(x, y, sum); });
      }
    } else if (pairs_.form == CostForm::distance) {
      KANTOR_NO_UNROLL
      for (int k = 0; k < depth; ++k) {
        add_one(outer, k, sums, [](T x, T y, T sum) { return gpu::fused(x - y, x - y, sum); });
      }
    } else {
      KANTOR_NO_UNROLL
      for (int k = 0; k < depth; ++k) {
        add_one(outer, k, sums, [this](T x, T y, T sum) {
          return sum + gpu::fast_exp2(pairs_.p * gpu::fast_log2(gpu::magnitude(x - y)));
        });
      }
    }
  }

  template <class Term>
  KANTOR_DEVICE void add_one(const T* outer, int k, Sums& sums, Term term) const {
    const gpu::Four<T> x = gpu::four_at(outer + k * Shape::kRowStride + row());
    T y[Shape::kPerThread];
    pick(inner_ + k * Shape::kColumnStride, y);
    KANTOR_UNROLL
    for (int r = 0; r < 4; ++r) {
      KANTOR_UNROLL
      for (int c = 0; c < Shape::kPerThread; ++c) sums[r][c] = term(x.of[r], y[c], sums[r][c]);
    }
  }

  const Pairs<T>& pairs_;
  bool is_resident_;
  double inner_shift_;
  double outer_shift_;
  T* biases_;   // [kColumns]
  T* weights_;  // [kColumns]
  T* inner_;    // [kDepth, kColumnStride]
  T* outer_;    // [all dimensions or kDepth, kRowStride]
};

}  // namespace kantor::cuda
