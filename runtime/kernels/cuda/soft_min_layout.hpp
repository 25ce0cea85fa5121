#pragma once

// How the passes of a call are cut into blocks, and what lies where in the scratch memory: from the
// sizes alone.

#include <algorithm>

#include "runtime/kernels/cuda/soft_min_bodies.hpp"

namespace kantor::cuda {

inline std::int64_t quotient_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

/// Blocks that fill a card: of 100 to 150 processors each takes five at once, four times, so that
/// the last of them leave few idle.
constexpr std::int64_t kEnoughBlocks = 2500;

/// How the inner points are cut into chunks, so that few outer points fill a card too. From the
/// sizes alone: the same sums, in the same order, on every card.
struct Chunks {
  std::int64_t tiles_each = 1;
  int count = 1;

  template <class T>
  static Chunks of(std::int64_t num_outer, std::int64_t num_inner, std::int64_t enough_blocks,
                   std::int64_t at_most = std::int64_t{1} << 16) {
    const std::int64_t blocks = std::max<std::int64_t>(1, quotient_up(num_outer, Tile<T>::kRows));
    const std::int64_t tiles = std::max<std::int64_t>(1, quotient_up(num_inner, Tile<T>::kColumns));
    const std::int64_t wanted =
        std::clamp<std::int64_t>(quotient_up(enough_blocks, blocks), 1, std::min(tiles, at_most));
    Chunks chunks;
    chunks.tiles_each = quotient_up(tiles, wanted);
    chunks.count = static_cast<int>(quotient_up(tiles, chunks.tiles_each));
    return chunks;
  }
};

/// Bytes of sums over dimensions that are made, or come from the card's memory, once and are in its
/// second-level cache for the passes over the plan: a cache of 40 to 126 MB, of which a processor
/// reaches one half the faster and other data want their share.
constexpr std::int64_t kCachedBytes = std::int64_t{24} << 20;

/// Whether the rows that the cache holds go through all passes before the next ones: a tile of rows
/// fits, and its sums cost more to make or to bring anew than to keep. By data sheets: a number's
/// way to the cache and back, and its share of the launches of its rows, last as long as about 50
/// multiply-adds; a power takes 16. From sizes and cost alone: whether sums are kept by a call
/// before or made anew, they meet the same sums in the same order.
template <class T>
bool is_worth_cutting(const SoftMinCall& call) {
  const auto tile_bytes = call.y.count * Tile<T>::kRows * static_cast<std::int64_t>(sizeof(T));
  const bool are_dear = call.d == 0 || call.d >= (call.cost.form == CostForm::powers ? 4 : 64);
  return are_dear && tile_bytes <= kCachedBytes;
}

/// The rows that are taken together through all passes, the chunks of each pass, and the parts of
/// the scratch memory, in doubles.
template <class T>
struct Layout {
  bool keeps_sums =
      false;  ///< of the rows at hand, in the scratch memory, unless a call before has
  std::int64_t rows_at_once = 0;
  std::int64_t sums_stride = 0;
  Chunks forward, weights, averages;
  std::int64_t num_maxima = 0;
  std::int64_t column_biases = 0, row_biases = 0, parts = 0, shift = 0, maxima = 0, of_rows = 0,
               of_columns = 0, kept = 0, size = 0;

  explicit Layout(const SoftMinCall& call) {
    const std::int64_t m = call.y.count;
    const std::int64_t enough_blocks = call.enough_blocks > 0 ? call.enough_blocks : kEnoughBlocks;
    cut_rows(call);
    const std::int64_t n = rows_at_once;
    constexpr std::int64_t kMostPartialSums = std::int64_t{1} << 23;  // of averages: 64 MB
    const std::int64_t num_averages = std::max<std::int64_t>(1, n * call.num_values);
    forward = Chunks::of<T>(n, m, enough_blocks);
    weights = Chunks::of<T>(m, n, enough_blocks);
    averages = Chunks::of<T>(n, m, enough_blocks,
                             std::max<std::int64_t>(1, kMostPartialSums / num_averages));
    num_maxima = quotient_up(m, gpu::kBlockThreads);
    row_biases = m;
    parts = row_biases + call.x.count;
    shift = parts + call.x.count + m;
    maxima = shift + 1;
    of_rows = maxima + num_maxima;
    of_columns = of_rows;
    if (call.given_f == nullptr) of_columns += 2 * forward.count * n;
    // One chunk goes straight to its place.
    if (call.averages != nullptr && averages.count > 1) {
      of_columns = std::max(of_columns, of_rows + averages.count * num_averages);
    }
    kept = of_columns;
    if (call.column_weights != nullptr && weights.count > 1) kept += weights.count * m;
    kept += kept % 2;  // of 16 bytes
    size = kept;
    if (!keeps_sums) return;
    size += quotient_up(n * sums_stride * static_cast<std::int64_t>(sizeof(T)), sizeof(double));
  }

 private:
  void cut_rows(const SoftMinCall& call) {
    const bool returns_to_pairs =
        call.given_f == nullptr && (call.column_weights != nullptr || call.averages != nullptr);
    rows_at_once = call.x.count;
    if (!returns_to_pairs || (call.rows_at_once == 0 && !is_worth_cutting<T>(call))) return;
    keeps_sums = call.sums == nullptr;
    sums_stride = quotient_up(call.y.count, 4) * 4;
    constexpr std::int64_t kTile = Tile<T>::kRows;
    const std::int64_t row_bytes =
        std::max<std::int64_t>(1, sums_stride * static_cast<std::int64_t>(sizeof(T)));
    const std::int64_t wanted =
        call.rows_at_once > 0 ? call.rows_at_once : kCachedBytes / row_bytes / kTile * kTile;
    rows_at_once = std::min(rows_at_once, std::max(wanted, kTile));
  }
};

}  // namespace kantor::cuda
