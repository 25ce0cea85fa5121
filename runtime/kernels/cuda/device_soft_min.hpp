#pragma once

// The soft-min reduction (runtime/kernels/soft_min.hpp) on a GPU: what libkantor_cuda.so offers.
// Torch-free and free of CUDA's headers: pointers into device memory, counts, an opaque stream.
// Shapes: N rows x, M columns y, D dimensions, K value columns.

#include <cstddef>
#include <cstdint>

namespace kantor::cuda {

enum class CostForm : int { products, distance, powers };

/// products: C_ij = squares (|x|^2 + |y|^2) - products <x, y>; distance: |x - y|; powers: (1/p)
/// sum_k |x_k - y_k|^p. pair_cost() (pair_cost.hpp) makes it from a kernels::Cost.
struct PairCost {
  CostForm form = CostForm::products;
  double squares = 1;
  double products = 2;
  double p = 2;
};

/// The form of a call whose sums are costs.
inline PairCost given_costs() { return {CostForm::products, 0, -1, 2}; }

/// Rows of a matrix in device memory: float, or double if the call is_double.
struct DevicePoints {
  const void* data = nullptr;
  std::int64_t count = 0;
  std::int64_t stride = 0;  ///< between rows, in numbers
};

/// One reduction and what is wanted of it. Everything is in device memory; vectors over points are
/// double whatever the type of the points is.
struct SoftMinCall {
  bool is_double = false;
  PairCost cost;
  std::int64_t d = 0;              ///< >= 1; 0 where costs are given
  DevicePoints x;                  ///< [N, D]
  DevicePoints y;                  ///< [M, D]
  const double* centre = nullptr;  ///< [D] or null: with squares = 0, costs are those of x + centre
                                   ///< and y + centre
  const double* log_b = nullptr;   ///< [M], -inf for an absent point
  const double* g = nullptr;       ///< [M]
  double epsilon = 0;              ///< > 0

  /// [N, M] of the points' type: what pairs cost, less the parts that belong to one point (<x, y>,
  /// |x - y|^2, sum_k |x_k - y_k|^p), kept by a call before: read instead of made from the points,
  /// to the same bits. Or costs themselves, with d = 0 and given_costs() as the cost.
  const void* sums = nullptr;
  void* kept_sums = nullptr;     ///< out, where sums is null; null: not wanted
  std::int64_t sums_stride = 0;  ///< between rows: M or more, a multiple of 4; all finite, but
                                 ///< for given costs of inf, which forbid their pairs

  /// [N + M], rows first: what costs have of parts that belong to one point, kept by a call before:
  /// read instead of made from the points. See has_parts().
  const double* parts = nullptr;
  double* kept_parts = nullptr;  ///< out, where parts is null; null: not wanted

  /// Rows that go through all passes before the next ones follow, if column weights or averages
  /// are wanted: their sums are made once and kept in the scratch memory, or come from `sums` once;
  /// 0: as many as a card's cache holds, if that pays. At least 64.
  std::int64_t rows_at_once = 0;
  /// Blocks that a pass is cut into, as far as it has tiles; 0: as many as fill a card.
  std::int64_t enough_blocks = 0;

  const double* given_f = nullptr;      ///< [N], any f; null: the soft minima of this reduction
  double* f = nullptr;                  ///< out [N]: the soft minima; null: not wanted
  const double* row_weights = nullptr;  ///< [N], of any sign
  double* column_weights = nullptr;     ///< out [M]: sum_i row_weights_i S_ij; null: not wanted
  const void* values = nullptr;         ///< [M, K] row-major, of the points' type
  std::int64_t num_values = 0;          ///< K
  double* averages = nullptr;           ///< out [N, K]: sum_j S_ij values_j; null: not wanted
};

/// Whether costs have parts that belong to one point.
inline bool has_parts(const SoftMinCall& call) {
  return call.cost.form == CostForm::products && call.d > 0 &&
         (call.cost.squares != 0 || call.centre != nullptr);
}

/// The kernels of one build. A call is put on the stream and returns: no synchronisation, no
/// allocation, no atomics. Results depend on the sizes alone, not on the card's number of
/// processors. Gradient of f_i to x_i, with v_i the averages of values = y: sqeuclidean 2 (x_i -
/// v_i), half_sqeuclidean x_i - v_i, dot -v_i.
struct SoftMinKernels {
  /// What a call needs beside its own buffers.
  std::size_t (*scratch_bytes)(const SoftMinCall& call);
  /// @param scratch device memory, 16-byte aligned, free for reuse in the order of the stream.
  /// @param stream  a cudaStream_t of the current device.
  /// @return null, or what the CUDA runtime says against a launch.
  const char* (*enqueue)(const SoftMinCall& call, void* scratch, void* stream);
};

/// Defined in libkantor_cuda.so.
const SoftMinKernels& soft_min_kernels();

}  // namespace kantor::cuda
