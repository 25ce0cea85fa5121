#pragma once

// What the loops of an instruction set are given of a reduction: its columns once, its rows in
// blocks. Logits are to base 2. A panel is `width` columns, the number that a register tile holds;
// arrays over columns are padded to whole panels, arrays over the rows of a block to kRowGroup.
// Shapes: N rows, M columns, D dimensions; R rows of a block (padded), P panels of W columns.

#include <cstdint>

namespace kantor::kernels {

constexpr std::int64_t kRowGroup = 16;  // a multiple of every register tile's rows and vectors
constexpr std::int64_t kTileRows = 8;   // a multiple of every register tile's rows
constexpr std::int64_t kMaxBlockRows = 128;

constexpr std::int64_t round_up(std::int64_t n, std::int64_t multiple) {
  return (n + multiple - 1) / multiple * multiple;
}

/// The columns of a reduction.
template <class T>
struct ColumnPanels {
  std::int64_t num_columns = 0;
  std::int64_t num_panels = 0;
  std::int64_t width = 0;
  const T* bias = nullptr;    ///< [P, W], -inf behind the last column
  const T* points = nullptr;  ///< [P, D, W], or null for stored costs
  double scale = 0;           ///< log2 e / epsilon

  std::int64_t padded() const { return num_panels * width; }
};

/// The part of a row block's logits that is not its columns' bias: products of points, or costs.
template <class T>
struct RowOperand {
  const T* points = nullptr;  ///< [R / rows of a register tile, D, rows of a register tile]
  std::int64_t depth = 0;     ///< D
  const T* costs = nullptr;   ///< [count, stride] or null
  std::int64_t stride = 0;
  T scale = 0;  ///< of the costs
};

/// Where the exponentials of a row block go: e_rj = 2^(logit_rj - reference of row r at the panel
/// of j). A reference is the logit of one of the row's columns, at most kHeadroom below any that
/// came before or in that panel: the row's largest logit need not be known, and nothing overflows.
template <class T>
struct RowBlock {
  std::int64_t count = 0;         ///< rows
  T* tile = nullptr;              ///< e at panel * panel_stride + r * row_stride + column
  std::int64_t panel_stride = 0;  ///< if tile is null, only the sums are made
  std::int64_t row_stride = 0;    //
  T* panel_references = nullptr;  ///< [P, R], -inf where every logit was; with a tile
  double* references = nullptr;   ///< [R] after the last panel
  double* sums = nullptr;         ///< [R] sum_j e_rj to that reference
  std::int64_t padded() const { return round_up(count, kRowGroup); }
};
/// A power that would be below the smallest normal number times 2^kHeadroom may be 0; and sums of
/// 2^60 terms, and their inverses, stay well within a float.
constexpr double kHeadroom = 12;

}  // namespace kantor::kernels
