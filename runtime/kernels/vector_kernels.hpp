#pragma once

// Loops over contiguous rows, compiled once per instruction set and chosen at run time.
// Shapes: n numbers in a row, R rows, D dimensions.

#include <cstdint>

namespace kantor::kernels {

enum class InstructionSet { portable, avx2 };

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

/// Sums are taken in T over at most 512 terms, then in double.
template <class T>
struct VectorKernels {
  /// Largest of n values; -inf for n = 0.
  T (*max)(const T* values, std::int64_t n);
  /// values_j = exp(values_j - shift), no value above shift; returns their sum. Results below the
  /// smallest normal number are 0.
  double (*exp_sum)(T* values, std::int64_t n, T shift);
  /// The same for any values and without the sum: inf where the result overflows.
  void (*exp_shifted)(T* values, std::int64_t n, T shift);
  /// to_j = from_j. The processor's own string copy, which memcpy takes for rows of this length, is
  /// several times slower on some machines where both begin at the same place of a page.
  void (*copy)(const T* from, std::int64_t n, T* to);
  /// target_j += sum_r scales_r rows[r][j], r = 0 .. num_rows - 1 in order.
  void (*add_scaled_rows)(T* target, const T* const* rows, const T* scales, std::int64_t num_rows,
                          std::int64_t n);
  /// sum_j a_j b_j.
  double (*dot)(const T* a, const T* b, std::int64_t n);
  /// logits_j = bias_j - scale cost_j.
  void (*stored_logits)(const T* bias, const T* cost, T scale, std::int64_t n, T* logits);
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

/// Whether this build and this processor have the instruction set.
bool is_available(InstructionSet set);

/// The loops of one instruction set. @throws ValueError if it is not available.
template <class T>
const VectorKernels<T>& vector_kernels(InstructionSet set);

/// The loops of the best available set.
template <class T>
const VectorKernels<T>& vector_kernels();

// One definition per translation unit of an instruction set.
extern const VectorKernels<float> kPortableFloat;
extern const VectorKernels<double> kPortableDouble;
extern const VectorKernels<float> kAvx2Float;
extern const VectorKernels<double> kAvx2Double;

}  // namespace kantor::kernels
