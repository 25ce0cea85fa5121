#pragma once

// How the rows of an N x M reduction are cut. Everything follows from the shape alone, never from
// the number of threads, so that results do not depend on it.

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "runtime/kernels/absorbed/unit_code.hpp"
#include "runtime/kernels/row_block.hpp"

namespace kantor::kernels {

inline constexpr std::int64_t kMaxLanes = 16;  // each holds M doubles

/// A block is some rows times all columns; a lane is a contiguous run of blocks with accumulators
/// of its own.
struct RowCut {
  std::int64_t num_rows;
  std::int64_t rows_per_block;
  std::int64_t num_blocks;
  std::int64_t num_lanes;

  std::int64_t first_block(std::int64_t lane) const { return lane * num_blocks / num_lanes; }

  /// Calls work(first_row, count) for the blocks of a lane, in order.
  template <class Work>
  void for_each_of_lane(std::int64_t lane, const Work& work) const {
    for (std::int64_t block = first_block(lane); block < first_block(lane + 1); ++block) {
      const std::int64_t first_row = block * rows_per_block;
      work(first_row, std::min(rows_per_block, num_rows - first_row));
    }
  }
};

/// @param depth          numbers per point that a tile reads; 0 for stored costs.
/// @param element_bytes  of the tile's type.
inline RowCut cut_rows(std::int64_t num_rows, std::int64_t num_columns, std::int64_t depth,
                       std::size_t element_bytes) {
  constexpr std::int64_t tile_bytes = 1 << 19;        // half of a core's own cache
  constexpr std::int64_t wide_tile_bytes = 16 << 20;  // of long rows of high dimension
  const std::int64_t row_bytes =
      std::max<std::int64_t>(1, num_columns * static_cast<std::int64_t>(element_bytes));
  // All column points are read once per row block: with so many rows that costs little beside the
  // products, though the tile leaves the cache.
  const std::int64_t reuse =
      std::min(std::clamp<std::int64_t>(depth / 2, 8, 64), wide_tile_bytes / row_bytes);
  const std::int64_t fitting =
      std::clamp<std::int64_t>(std::max(tile_bytes / row_bytes, reuse) / 8 * 8, 8, kMaxBlockRows);
  // Few rows still give every lane a block.
  const std::int64_t even = std::max<std::int64_t>(8, round_up((num_rows + 7) / 8, 8));
  RowCut cut{};
  cut.num_rows = num_rows;
  cut.rows_per_block = std::min(fitting, even);
  cut.num_blocks = (num_rows + cut.rows_per_block - 1) / cut.rows_per_block;
  cut.num_lanes = std::min(kMaxLanes, cut.num_blocks);
  return cut;
}

/// Rows in each part of a pass that is made in parts: blocks for every lane, and pairs enough that
/// what a call does once for all columns does not show.
inline std::int64_t rows_of_part(std::int64_t num_rows, std::int64_t num_columns,
                                 std::int64_t depth, std::size_t element_bytes,
                                 std::int64_t least_pairs) {
  const std::int64_t block = cut_rows(num_rows, num_columns, depth, element_bytes).rows_per_block;
  // A product of so many dimensions takes about as long as the rest of a pair.
  constexpr std::int64_t kDimensions = 16;
  const std::int64_t of_row = std::max<std::int64_t>(num_columns, 1) * (1 + depth / kDimensions);
  const std::int64_t rows = least_pairs / of_row;
  return std::max(round_up(rows, kMaxLanes * block), kMaxLanes * block);
}

/// Numbers from a stored row to the next: whole cache lines; of codes, of which some rows are read
/// side by side, an odd number of them, so that these do not compete for the same places.
inline std::int64_t stored_stride(std::int64_t num_columns, std::size_t element_bytes,
                                  KernelFormat format) {
  const std::int64_t line = 64 / static_cast<std::int64_t>(element_bytes);
  const std::int64_t lines = (num_columns + line - 1) / line;
  return (format == KernelFormat::codes ? lines | 1 : lines) * line;
}

/// Cut of a kernel in codes: the longest blocks, as few of their rows need the cache at a time.
inline RowCut cut_code_rows(std::int64_t num_rows) { return cut_rows(num_rows, 1, 0, 1); }

}  // namespace kantor::kernels
