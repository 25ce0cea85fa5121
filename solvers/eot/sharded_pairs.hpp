#pragma once

// A discrete problem as one rank holds it: its rows of X, all of Y, and the two c-transforms.
// Shapes: N points x in all and N_r of them on this rank, M points y on every rank, D dimensions.
// Potentials are double; T is the type of points and tiles.

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "distributed/context.hpp"
#include "distributed/shards.hpp"
#include "runtime/kernels/row_cut.hpp"
#include "runtime/kernels/row_range.hpp"
#include "runtime/kernels/soft_min.hpp"
#include "solvers/device/device_pairs.hpp"
#include "solvers/eot/pair.hpp"
#include "solvers/eot/pauses.hpp"
#include "solvers/eot/storage/plan.hpp"

namespace kantor {

/// Which rows of each marginal take part; empty = all. Weights are rescaled to sum 1.
struct Subset {
  std::vector<std::int64_t> x;
  std::vector<std::int64_t> y;
};

/// A seeded subset of at most `limit` rows per marginal (0 = all), the same on every rank; rows of
/// weight 0 stay out of it.
Subset evaluation_subset(const Pair& pair, std::int64_t limit, std::int64_t seed);

/// The rows of a shard within one list of a subset.
std::vector<std::int64_t> rows_of(const Shard& shard, std::span<const std::int64_t> subset);

/// Whether both marginals have a row of positive weight in it, without which it is no problem.
bool has_mass(const Pair& pair, const Subset& subset);

/// Rows of a pass that are taken together.
struct RowPart {
  std::int64_t first = 0;
  std::int64_t count = 0;
  bool is_whole = true;  ///< all of the pass

  /// The rows' part of a vector with so many numbers a row; of none, none.
  template <class U>
  std::span<U> of(std::span<U> values, std::int64_t num_values = 1) const {
    if (values.empty()) return values;
    return values.subspan(static_cast<std::size_t>(first * num_values),
                          static_cast<std::size_t>(count * num_values));
  }
};

template <class T>
class ShardedPairs {
 public:
  /// Reads this rank's rows of X and all of Y, and stores the costs if the plan says so.
  /// @param subset has mass. @throws ConfigError if the storage does not fit.
  ShardedPairs(const Pair& pair, const Subset& subset, Storage storage, Context& context);
  /// The same of a plan that is made, but costs are streamed until store_costs().
  ShardedPairs(const Pair& pair, const Subset& subset, const StoragePlan& plan, Context& context);
  void store_costs();
  /// Other rows x, and epsilon and centre with them; of pairs from points, without a subset. The
  /// weights, the storage plan and, where the centre is the same, y with its copies stay. Costs are
  /// streamed until store_costs().
  void set_rows(const Pair& pair);
  /// Passes are made in parts from here on, where the host makes them; null: not. Column sums then
  /// differ by rounding from those of a pass in one piece, and follow from the shape as these do.
  void pause_in(Pauses* pauses) { pauses_ = pauses; }
  ShardedPairs(const ShardedPairs&) = delete;
  ShardedPairs& operator=(const ShardedPairs&) = delete;

  std::int64_t n() const { return n_; }
  std::int64_t m() const { return static_cast<std::int64_t>(b_.size()); }
  const Shard& rows() const { return rows_; }
  double epsilon() const { return epsilon_; }
  const Penalty& penalty() const { return rho_; }
  bool has_forbidden_pairs() const { return has_forbidden_pairs_; }  ///< costs of inf
  /// How costs are kept; for a GPU's pairs with automatic storage known once they are stored.
  Storage storage() const { return form_; }
  bool is_absorbed() const { return kantor::is_absorbed(form_); }
  /// Storage for iterations that a kernel in 16 bits no more leads.
  Storage form_of_tail() const { return form_of_tail_; }
  std::span<const double> a() const { return a_; }  ///< [N_r] weights of this rank's rows
  std::span<const double> b() const { return b_; }  ///< [M]

  kernels::Points<T> x() const { return {x_.data(), rows_.count(), d_}; }  ///< [N_r, D], centred
  kernels::Points<T> y() const { return {y_.data(), m(), d_}; }            ///< [M, D], centred

  /// Whether pairs are reduced on a GPU, of which over_y() knows nothing.
  bool is_on_device() const { return device_ != nullptr; }

  /// f_i = -eps log sum_j b_j exp((g_j - C_ij) / eps) at this rank's rows.
  /// @param g [M]. @param[out] f [N_r].
  void transform_to_x(std::span<const double> g, std::span<double> f) const;
  /// The same, with column sums over this rank's rows, weighted by a, of plans of updated f, which
  /// itself stays the soft minima (kernels::soft_min_weights).
  void transform_to_x(std::span<const double> g, double epsilon,
                      std::span<const kernels::UpdatedColumns> wanted, std::span<double> f) const;
  /// The same, with the averages of y under P(. | x_i). @param[out] averages [N_r, D].
  void transform_to_x(std::span<const double> g, std::span<double> f,
                      std::span<double> averages) const;
  /// Column sums over this rank's rows of the plan of any (f, g). @param[out] columns [M].
  void plan_columns(std::span<const double> f, std::span<const double> g,
                    std::span<double> columns) const;

  /// The reduction over y for this rank's rows, on the host. @param g [M].
  kernels::Reduction<T> over_y(std::span<const double> g) const { return over_y(g, epsilon_); }
  kernels::Reduction<T> over_y(std::span<const double> g, double epsilon) const {
    return {*cost_, log_b_, g, epsilon};
  }

  /// Calls work(part, rows of the cost) for this rank's rows, in order; not where it has none.
  template <class Work>
  void for_each_part(const Work& work) const {
    for_each_part(*cost_, rows_.slots, m(), work);
  }

  /// g = c-transform of f over ALL x: g_j = -eps log sum_i a_i exp((f_i - C_ij) / eps). Two
  /// all-reduces.
  /// @param f      [N_r] this rank's part.
  /// @param[out] g [M], the same on every rank.
  void transform_to_y(std::span<const double> f, std::span<double> g) const {
    transform_to_y(f, g, epsilon_);
  }
  void transform_to_y(std::span<const double> f, std::span<double> g, double epsilon) const {
    transform_to_y(f, {}, 0, g, {}, epsilon);
  }
  /// The same, with averages under P(. | y_j), the plan's law of x given y: averages_jk =
  /// sum_i P(i | j) values_ik.
  /// @param values        [N_r, K] row-major.
  /// @param[out] averages [M, K], the same on every rank.
  void transform_to_y(std::span<const double> f, std::span<const T> values, std::int64_t num_values,
                      std::span<double> g, std::span<double> averages) const {
    transform_to_y(f, values, num_values, g, averages, epsilon_);
  }

  /// sum over all ranks of weights_i values_i. @param values [N_r].
  double expectation_x(std::span<const double> values) const;
  double expectation_y(std::span<const double> values) const;
  /// [N_r] on each rank -> [N] on all.
  std::vector<double> gather_x(std::span<const double> values) const;

 private:
  /// @param most_rows, most_columns of any rank: parts are as many on all of them.
  template <class Work>
  void for_each_part(const kernels::CostMatrix<T>& cost, std::int64_t most_rows,
                     std::int64_t most_columns, const Work& work) const {
    const std::int64_t rows = cost.num_columns() > 0 ? cost.num_rows() : 0;
    if (pauses_ == nullptr) {
      if (rows > 0) work(RowPart{0, rows}, cost);
      return;
    }
    const std::int64_t size = kernels::rows_of_part(most_rows, most_columns, cost.depth(),
                                                    sizeof(T), pauses_->least_pairs());
    const std::int64_t num_parts = (most_rows + size - 1) / size;
    pauses_->begin(num_parts);
    for (std::int64_t k = 0; k < num_parts; ++k) {
      if (k > 0) pauses_->pause();
      const std::int64_t first = std::min(k * size, rows);
      const std::int64_t count = std::min(size, rows - first);
      if (count == 0) continue;
      work(RowPart{first, count, num_parts == 1}, kernels::RowRange<T>(cost, first, count));
    }
  }
  void transform_to_y(std::span<const double> f, std::span<const T> values, std::int64_t num_values,
                      std::span<double> g, std::span<double> averages, double epsilon) const;
  void make_streamed(const Pair& pair, const Subset& subset);
  void read_cost_file(const Pair& pair, const Subset& subset);
  void keep_costs_on_device();

  Context& context_;
  double epsilon_;
  Penalty rho_;
  bool has_forbidden_pairs_;
  std::int64_t d_;
  std::int64_t n_;
  Shard rows_;
  std::vector<T> x_;  ///< [N_r, D], centred
  std::vector<T> y_;  ///< [M, D], centred
  std::vector<double> a_;
  std::vector<double> b_;
  std::vector<double> log_a_;
  std::vector<double> log_b_;
  std::vector<double> centre_;
  Storage planned_;  ///< automatic on a GPU: `form_` is known once costs are stored
  Storage form_;
  Storage form_of_tail_;
  bool is_stored_ = false;
  Pauses* pauses_ = nullptr;
  std::unique_ptr<kernels::CostMatrix<T>> cost_;        ///< N_r x M
  std::unique_ptr<kernels::CostMatrix<T>> transposed_;  ///< M x N_r, streamed unless from a file
  std::unique_ptr<DevicePairs<T>> device_;              ///< null: on the host
};

/// What a solve of it holds.
SolveShape solve_shape(const Pair& pair, const Subset& subset, bool is_double,
                       const Context& context);

}  // namespace kantor
