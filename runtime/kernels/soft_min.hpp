#pragma once

// The soft-min reduction, the one operation that every solver here is made of.
// Shapes: N rows (one soft minimum each), M columns (reduced over), D dimensions, K value columns.
// With b_j = exp(log_b_j), the ROW-NORMALISED plan of a reduction is
//   S_ij = b_j exp((g_j - C_ij + f_i) / eps),  sum_j S_ij = 1,  f the soft minimum itself.
// Vectors over points are double whatever T is; T is the type of the tiles (GEMM and exp).
// Tiles follow from N, M, D alone and partial sums are added in tile order: results do not depend
// on the number of threads. Scratch memory is taken from the pool's workspaces and stays there: a
// copy of the column points (M D), 16 M doubles for each plan whose columns are summed, and a tile
// of 0.5 to 16 MB per thread; never N x M.

#include <cmath>
#include <cstdint>
#include <span>

#include "runtime/core/thread_pool.hpp"
#include "runtime/kernels/cost_matrix.hpp"

namespace kantor::kernels {

/// What is reduced: the cost, the column log-weights and potentials, and epsilon.
template <class T>
struct Reduction {
  const CostMatrix<T>& cost;      ///< N x M
  std::span<const double> log_b;  ///< [M], -inf for an absent point
  std::span<const double> g;      ///< [M]
  double epsilon;                 ///< unit of the cost, > 0
};

/// f_i = -eps log sum_j b_j exp((g_j - C_ij) / eps); +inf where every b_j is 0.
/// Source: Peyre & Cuturi 2019, section 4.4.
/// @param[out] f [N].
/// @throws ShapeError, ValueError (all functions of this file). Reads N*D + M*D numbers; no N x M
/// array.
template <class T>
void soft_min(const Reduction<T>& reduction, ThreadPool& pool, std::span<double> f);

/// The same, with softmax-weighted sums of a value matrix: averages_ik = sum_j S_ij values_jk.
/// @param values        [M, K] row-major.
/// @param[out] averages [N, K] row-major (0 where f is +inf).
template <class T>
void soft_min_averages(const Reduction<T>& reduction, std::span<const T> values,
                       std::int64_t num_values, ThreadPool& pool, std::span<double> f,
                       std::span<double> averages);

/// The same, with column weights of the same pass for GIVEN row weights: column_j = sum_i row_i
/// S_ij. One exp per pair: this is the full step of the semi-dual and of Sinkhorn.
/// @param row_weights         [N], >= 0; rows of weight 0 contribute nothing.
/// @param[out] column_weights [M].
template <class T>
void soft_min_weights(const Reduction<T>& reduction, std::span<const double> row_weights,
                      ThreadPool& pool, std::span<double> f, std::span<double> column_weights);

/// How a potential follows its soft minimum: f'_i = kept_i + gain f_i (momentum, unbalanced
/// marginals).
struct RowUpdate {
  std::span<const double> kept = {};  ///< [N], or empty for 0
  double gain = 1;

  bool is_plain() const { return kept.empty() && gain == 1; }
  double of(std::size_t i, double soft_minimum) const {
    return (kept.empty() ? 0.0 : kept[i]) + gain * soft_minimum;
  }
  /// By what the row of the plan grows: exp((f'_i - f_i) / eps).
  double growth(std::size_t i, double soft_minimum, double epsilon) const {
    return is_plain() ? 1 : std::exp((of(i, soft_minimum) - soft_minimum) / epsilon);
  }
};

/// The same for the plan of the updated potential, whose rows are no longer normalised:
/// column_j = sum_i row_i exp((f'_i - f_i) / eps) S_ij. An exponential beyond T makes it infinite
/// or NaN.
/// @param[out] f [N] soft minima, not yet updated.
template <class T>
void soft_min_weights(const Reduction<T>& reduction, std::span<const double> row_weights,
                      const RowUpdate& update, ThreadPool& pool, std::span<double> f,
                      std::span<double> column_weights);

/// The same for several updates in one pass over the pairs: with the plan of the soft minima, say,
/// that of potentials which are given (kept = f, gain = 0).
struct UpdatedColumns {
  RowUpdate update;
  std::span<double> column_weights;  ///< out [M]
};
template <class T>
void soft_min_weights(const Reduction<T>& reduction, std::span<const double> row_weights,
                      std::span<const UpdatedColumns> wanted, ThreadPool& pool,
                      std::span<double> f);

/// Backward, for row weights known only after the forward pass (cotangents of any sign):
/// column_j = sum_i row_i b_j exp((f_i + g_j - C_ij) / eps), with ANY given f (not only the soft
/// minimum). Rows with f = +inf or weight 0 contribute nothing.
template <class T>
void plan_column_weights(const Reduction<T>& reduction, std::span<const double> f,
                         std::span<const double> row_weights, ThreadPool& pool,
                         std::span<double> column_weights);

/// A plan between weights of its own that is added to another: Q_ij = r_i R_ij y_j, R the
/// row-normalised plan of its reduction.
template <class T>
struct AddedPlan {
  Reduction<T> reduction;                ///< over the same pairs; log_b, g and epsilon of its own
  std::span<const double> row_masses;    ///< [N] r_i >= 0
  std::span<const double> column_scale;  ///< [M] y_j
};

/// Totals of the rounded plan P_ij = a_i S_ij y_j + ea_i eb_j / E (Altschuler, Weed & Rigollet
/// 2017, algorithm 2, for a plan whose rows are exact): one pass over the pairs.
struct RoundedTotals {
  double transport_cost = 0;  ///< sum_ij P_ij C_ij
  double kl = 0;              ///< sum_ij P_ij log(P_ij / (a_i b_j)), 0 log 0 = 0
  double missing_mass = 0;    ///< sum_i ea_i over these rows
  double priced_cost = 0;     ///< sum_ij P_ij of other prices, 0 without

  void add(const RoundedTotals& of_other_rows) {
    transport_cost += of_other_rows.transport_cost;
    kl += of_other_rows.kl;
    missing_mass += of_other_rows.missing_mass;
    priced_cost += of_other_rows.priced_cost;
  }
};
/// @param a              [N] row weights (the shard's part of a vector that sums to 1); 0 allowed.
/// @param column_scale   [M] y_j = min(b_j / column_j, 1).
/// @param column_missing [M] eb_j = b_j - y_j column_j >= 0, column_j summed over ALL shards.
/// @param total_missing  E = sum_j eb_j; 0 leaves the correction out.
/// @param prices         null, or another N x M matrix to price the plan with.
/// @param added          plans that make up for what is missing, each for what those before it
///                       left: ea and eb are then what the last one leaves. A pass each.
template <class T>
RoundedTotals rounded_plan_totals(const Reduction<T>& reduction, std::span<const double> a,
                                  std::span<const double> column_scale,
                                  std::span<const double> column_missing, double total_missing,
                                  ThreadPool& pool, const CostMatrix<T>* prices = nullptr,
                                  std::span<const AddedPlan<T>> added = {});

}  // namespace kantor::kernels
