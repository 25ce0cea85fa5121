#pragma once

// The pairs of a pass as a kernel takes them: two sides, where their costs come from, and how they
// are cut into tiles. A block owns kRows OUTER points and streams tiles of kColumns INNER ones;
// each thread holds 4 outer and kPerThread inner points of a tile, so that one pair of shared loads
// of 16 bytes feeds 16 multiply-adds.

#include <cstdint>

#include "runtime/kernels/cuda/device_soft_min.hpp"
#include "runtime/kernels/cuda/gpu_portable.hpp"

namespace kantor::cuda {

template <class T>
struct Tile {
  static constexpr int kRows = 64;
  static constexpr int kGroups = sizeof(T) == 4 ? 2 : 1;  // of four neighbouring columns, a thread
  static constexpr int kPerThread = 4 * kGroups;
  static constexpr int kColumns = 32 * kGroups;
  static constexpr int kDepth = 16;  // dimensions at a time
  // Fours stay aligned, and neighbours in the dimension fall into other banks.
  static constexpr int kRowStride = kRows + 4;
  static constexpr int kColumnStride = kColumns + 4;
  /// Outer points of up to this many dimensions stay in shared memory while the inner ones pass.
  static constexpr int kResidentDepth = sizeof(T) == 4 ? 64 : 32;
};

/// Tiles whose sums stay in registers, in T, before they join the others in double, of which a card
/// may make few: one for each of these, and each row, would take as long as the powers. The T of a
/// tile are summed first, so that a sum errs by kPerThread + kTilesBetweenFlushes roundings at
/// most.
constexpr int kTilesBetweenFlushes = 16;

/// Where the sums over dimensions come from: products or differences of coordinates, or memory.
enum class SumsFrom { products, differences, memory };

/// Blocks at once on a processor that a kernel's registers must leave room for: the compiler takes
/// what is left, and none may spill (launch/cmake/Cuda.cmake).
template <class T, SumsFrom kFrom>
constexpr int kBlocksOfTiles = sizeof(T) == 8                ? 2
                               : kFrom == SumsFrom::products ? 5
                                                             : 4;

/// One side of the pairs. The base-2 logit of a pair is
///   outer bias + inner bias + scale * (sum over dimensions, or its root).
template <class T>
struct Side {
  const T* data;
  std::int64_t count;
  std::int64_t stride;
  const double* bias;  ///< [count]
};

template <class T>
struct Pairs {
  Side<T> outer;
  Side<T> inner;
  int d;
  CostForm form;
  T p;
  T scale;
  const double* shift;  ///< of the column biases, from which it is taken off
  bool columns_are_inner;
  const T* sums;                 ///< [N, sums_stride] over the dimensions, if they come from memory
  std::int64_t sums_stride;      ///< a multiple of 4
  std::int64_t tiles_per_chunk;  ///< of the inner points; chunk = block_y()

  KANTOR_DEVICE std::int64_t first_outer() const {
    return static_cast<std::int64_t>(gpu::block_x()) * Tile<T>::kRows;
  }
  KANTOR_DEVICE std::int64_t first_inner() const {
    return gpu::block_y() * tiles_per_chunk * Tile<T>::kColumns;
  }
  KANTOR_DEVICE std::int64_t end_inner() const {
    const std::int64_t end = first_inner() + tiles_per_chunk * Tile<T>::kColumns;
    return end < inner.count ? end : inner.count;
  }
};

/// What a block needs of shared memory for its tiles, in numbers of T.
template <class T, SumsFrom kFrom>
KANTOR_HOST_DEVICE constexpr int tile_numbers(std::int64_t d) {
  if (kFrom == SumsFrom::memory) return 2 * Tile<T>::kColumns;
  const auto depth = static_cast<int>(
      d > Tile<T>::kResidentDepth ? Tile<T>::kDepth
                                  : (d + Tile<T>::kDepth - 1) / Tile<T>::kDepth * Tile<T>::kDepth);
  return depth * Tile<T>::kRowStride + Tile<T>::kDepth * Tile<T>::kColumnStride +
         2 * Tile<T>::kColumns;
}

}  // namespace kantor::cuda
