#pragma once

// Loops over contiguous rows, compiled once per instruction set and chosen at run time.
// Shapes: n numbers in a row, R rows, D dimensions.

#include <cstdint>

#include "runtime/core/instruction_set.hpp"
#include "runtime/kernels/row_block.hpp"

namespace kantor::kernels {

/// What one row adds to the totals of a rounded plan.
struct RoundedRow {
  double transport_cost = 0;
  double kl = 0;
};

/// Column factors of a rounded plan, [n] each; see rounded_row.
template <class T>
struct RoundedColumns {
  const T* weight;   ///< b_j
  const T* scale;    ///< y_j / b_j, 0 where b_j = 0
  const T* missing;  ///< eb_j / (b_j E), 0 where b_j = 0
};

constexpr std::int64_t kTermsInT = 64;  ///< summed in T by add_products
constexpr int kCodeRows = 4;            ///< read at once by dot_and_add_codes

/// Sums over columns are taken in T over at most 512 terms, over the rows of a block in T, then in
/// double.
template <class T>
struct VectorKernels {
  std::int64_t panel_width;  ///< W
  std::int64_t row_group;    ///< rows of a register tile

  /// Points as the register tiles read them: groups of `group` points, [count / group, d, group],
  /// times scale, with zeros behind the last point. @param points [count, d].
  void (*pack)(const T* points, std::int64_t count, std::int64_t d, std::int64_t group, T scale,
               T* packed);
  /// Fills the block; see RowBlock. NaN in a logit reaches the sum.
  void (*exponentials)(const RowOperand<T>& operand, const ColumnPanels<T>& columns,
                       const RowBlock<T>& block);
  /// totals_j += sum_r scales_r e_rj, e to the row's last reference; rows of scale 0 are not read.
  /// @param scales [R]. @param[in,out] totals [P, W].
  void (*add_columns)(const RowBlock<T>& block, const ColumnPanels<T>& columns, const T* scales,
                      double* totals);
  /// tile[r, j] = row_parts_r + column_parts_j - rest, the costs of points, not below `least`.
  /// @param row_parts [count]. @param column_parts [M]. @param[out] tile [count, stride].
  void (*costs)(const RowOperand<T>& operand, const ColumnPanels<T>& columns, std::int64_t count,
                const double* row_parts, const double* column_parts, T least, std::int64_t stride,
                T* tile);
  /// sums[r, k] += sum_j rows[r, j] values[j, k], in T over at most kTermsInT columns.
  /// @param rows [R, stride], R whole row groups. @param values [n, num_values].
  /// @param scratch [kTermsInT, num_values to whole panels]. @param[in,out] sums [R, num_values].
  void (*add_products)(const T* rows, std::int64_t stride, std::int64_t num_rows, const T* values,
                       std::int64_t n, std::int64_t num_values, T* scratch, double* sums);
  /// Brings the whole tile to each row's last reference.
  void (*use_last_references)(const RowBlock<T>& block, const ColumnPanels<T>& columns);
  /// totals_j += sum_r scales_r 2^(logit_rj - shifts_r); rows of scale 0 contribute nothing.
  /// @param shifts, scales [R], scales 0 behind the last row. @param[in,out] totals [P, W].
  void (*plan_columns)(const RowOperand<T>& operand, const ColumnPanels<T>& columns,
                       std::int64_t count, const T* shifts, const T* scales, double* totals);

  /// values_j = 2^values_j: 0 below the smallest normal number, inf where it overflows.
  void (*exp2)(T* values, std::int64_t n);
  /// |x|^2 and <x, y> in double.
  double (*square)(const T* x, std::int64_t n);
  double (*product)(const T* x, const double* y, std::int64_t n);
  /// sum_j a_j b_j.
  double (*dot)(const T* a, const T* b, std::int64_t n);
  /// sums_j = sum_r scales_r rows[r stride + j], r in order; rows of scale 0 are not read.
  void (*sum_rows)(const T* rows, std::int64_t stride, std::int64_t num_rows, const T* scales,
                   std::int64_t n, T* sums);
  /// Rows in 16 bits (absorbed/unit_code.hpp), of float; else null. Codes of scale values_j.
  void (*encode)(const T* values, T scale, std::int64_t n, std::uint16_t* codes);
  /// Products of codes over kCodeUnit: dots_r = sum_j rows_rj b_j, and sums_j += sum_r scales_r
  /// before_rj over the rows that the call before has brought to the cache: memory and arithmetic
  /// overlap. What lies `ahead` codes behind the rows is asked for, too.
  /// @param rows, before [kCodeRows] pointers, of which some may be the same.
  void (*dot_and_add_codes)(const std::uint16_t* const* rows, std::int64_t ahead, const T* b,
                            double* dots, const std::uint16_t* const* before, const T* scales,
                            T* sums, std::int64_t n);
  /// values_j = sqrt(values_j), or -1 where values_j <= tau (row_square + column_squares_j): there
  /// the difference of squares has cancelled. Returns whether there is such a place.
  bool (*root_or_mark)(T* values, const T* column_squares, T row_square, T tau, std::int64_t n);
  /// costs_j = (1/p) sum_k |x_k - columns[k n + j]|^p. @param x [d]. @param columns [d, n].
  void (*pnorm_row)(const T* x, const T* columns, std::int64_t d, std::int64_t n, T p, T* costs);
  /// With q_j = softmax_j scale_j + row_missing missing_j, softmax_j = values_j / sum: sums of
  /// b_j q_j cost_j and of b_j q_j log q_j.
  RoundedRow (*rounded_row)(const T* values, T inverse_sum, const T* cost, T row_missing,
                            const RoundedColumns<T>& columns, std::int64_t n);
};

/// The loops of one instruction set. @throws ValueError if it is not available.
template <class T>
const VectorKernels<T>& vector_kernels(InstructionSet set);

/// The loops of instruction_set().
template <class T>
const VectorKernels<T>& vector_kernels();

// One definition per translation unit of an instruction set.
extern const VectorKernels<float> kPortableFloat;
extern const VectorKernels<double> kPortableDouble;
extern const VectorKernels<float> kAvx2Float;
extern const VectorKernels<double> kAvx2Double;
extern const VectorKernels<float> kAvx512Float;
extern const VectorKernels<double> kAvx512Double;

}  // namespace kantor::kernels
