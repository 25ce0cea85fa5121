#include "runtime/kernels/scratch.hpp"

#include "runtime/kernels/row_cut.hpp"
#include "runtime/kernels/vector_kernels.hpp"

namespace kantor::kernels {
namespace {

constexpr std::int64_t kDouble = sizeof(double);

/// As Workspace::take() rounds.
std::int64_t taken(std::int64_t count, std::int64_t element) {
  return round_up(count * element, 64);
}

/// The pieces that calls are made of, as prepared_reduction.cpp takes them.
template <class T>
struct Pieces {
  static constexpr std::int64_t kT = sizeof(T);
  const PassShape& shape;
  bool is_factored =
      !shape.is_stored && shape.cost != CostKind::euclidean && shape.cost != CostKind::pnorm;
  std::int64_t depth = is_factored ? shape.d : 0;
  RowCut cut = cut_rows(shape.rows, shape.columns, depth, sizeof(T));
  std::int64_t padded = round_up(shape.columns, vector_kernels<T>().panel_width);

  std::int64_t columns() const {  // PreparedReduction
    return taken(padded, kT) + taken(padded * depth, kT) + 2 * taken(shape.columns, kDouble);
  }
  std::int64_t lanes() const { return taken(cut.num_lanes * padded, kDouble); }  // ColumnSums
  std::int64_t operand() const {  // rows() of a factored cost
    const std::int64_t rows = round_up(cut.rows_per_block, vector_kernels<T>().row_group);
    return is_factored ? taken(rows * depth, kT) : 0;
  }
  std::int64_t block() const {  // SoftmaxBlock without tile, and what rows() takes
    const std::int64_t rows = 3 * taken(round_up(cut.rows_per_block, kRowGroup), kDouble);
    const bool makes_rows = !is_factored && !shape.is_stored;
    return rows + (makes_rows ? taken(cut.rows_per_block * shape.columns, kT) : operand());
  }
  std::int64_t tile() const {
    const std::int64_t panels = padded / vector_kernels<T>().panel_width;
    return taken(round_up(cut.rows_per_block, kTileRows) * padded, kT) +
           taken(round_up(cut.rows_per_block, kRowGroup) * panels, kT);
  }
  int working(int threads) const {
    return static_cast<int>(std::min<std::int64_t>(threads, cut.num_lanes));
  }
};

}  // namespace

template <class T>
Scratch weights_scratch(const PassShape& shape, int threads, std::int64_t num_updates) {
  const Pieces<T> pieces{shape};
  return {pieces.columns() + num_updates * pieces.lanes(), pieces.block() + pieces.tile(),
          pieces.working(threads)};
}

template <class T>
Scratch soft_min_scratch(const PassShape& shape, int threads) {
  const Pieces<T> pieces{shape};
  return {pieces.columns(), pieces.block(), pieces.working(threads)};
}

template <class T>
Scratch store_scratch(const PassShape& shape, int threads) {
  const Pieces<T> pieces{shape};
  return {pieces.columns(), pieces.operand(), pieces.working(threads)};
}

template <class T>
Scratch totals_scratch(const PassShape& shape, int threads) {
  const Pieces<T> pieces{shape};
  const std::int64_t columns = pieces.columns() + 4 * taken(shape.columns, sizeof(T));
  const std::int64_t rows = taken(pieces.cut.rows_per_block * shape.columns, sizeof(T)) +
                            2 * taken(pieces.cut.rows_per_block, kDouble);
  return {columns, pieces.block() + pieces.tile() + rows, pieces.working(threads)};
}

template <class T>
Scratch absorbed_scratch(const PassShape& shape, int threads, KernelFormat format) {
  const Pieces<T> absorbing{shape};
  const bool is_coded = format == KernelFormat::codes;
  const std::size_t element = is_coded ? sizeof(std::uint16_t) : sizeof(T);
  const std::int64_t stride = stored_stride(shape.columns, element, format);
  const RowCut cut =
      is_coded ? cut_code_rows(shape.rows) : cut_rows(shape.rows, shape.columns, 0, sizeof(T));
  const Scratch reading{taken(stride, sizeof(T)) + taken(cut.num_lanes * stride, kDouble),
                        taken(stride, sizeof(T)), std::min<std::int64_t>(threads, cut.num_lanes)};
  Scratch storing{absorbing.columns(), absorbing.block() + absorbing.tile(),
                  absorbing.working(threads)};
  if (is_coded) {  // column sums
    storing.shared += taken(absorbing.cut.num_lanes * shape.columns, kDouble);
    storing.each += taken(shape.columns, sizeof(T));
  }
  return largest(storing, reading);
}

#define KANTOR_SCRATCH(T)                                                   \
  template Scratch weights_scratch<T>(const PassShape&, int, std::int64_t); \
  template Scratch soft_min_scratch<T>(const PassShape&, int);              \
  template Scratch store_scratch<T>(const PassShape&, int);                 \
  template Scratch totals_scratch<T>(const PassShape&, int);                \
  template Scratch absorbed_scratch<T>(const PassShape&, int, KernelFormat);
KANTOR_SCRATCH(float)
KANTOR_SCRATCH(double)
#undef KANTOR_SCRATCH

}  // namespace kantor::kernels
