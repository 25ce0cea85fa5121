#include <algorithm>
#include <cmath>
#include <deque>
#include <limits>
#include <optional>
#include <vector>

#include "runtime/core/error.hpp"
#include "runtime/kernels/prepared_reduction.hpp"

// Shapes: N rows, M columns; R rows of a block.

namespace kantor::kernels {
namespace {

/// The column factors of rounded_row(), and 1 - y_j.
template <class T>
struct Columns {
  T* weight;  // [M], as all
  T* scale;
  T* missing;
  T* lost;

  Columns(std::span<const double> log_b, std::span<const double> column_scale,
          std::span<const double> column_missing, double total_missing, Workspace::Frame& frame)
      : weight(frame.take<T>(std::ssize(log_b))),
        scale(frame.take<T>(std::ssize(log_b))),
        missing(frame.take<T>(std::ssize(log_b))),
        lost(frame.take<T>(std::ssize(log_b))) {
    for (std::size_t j = 0; j < log_b.size(); ++j) {
      double b = std::exp(log_b[j]);
      if (b < std::numeric_limits<T>::min()) b = 0;  // 1 / b may be no number, and b counts nowhere
      weight[j] = static_cast<T>(b);
      scale[j] = static_cast<T>(b > 0 ? column_scale[j] / b : 0.0);
      missing[j] =
          static_cast<T>(b > 0 && total_missing > 0 ? column_missing[j] / total_missing / b : 0.0);
      lost[j] = static_cast<T>(1 - column_scale[j]);
    }
  }
  RoundedColumns<T> view() const { return {weight, scale, missing}; }
};

/// A plan that is added, ready to be read.
template <class T>
struct Part {
  PreparedReduction<T> pass;
  std::span<const double> row_masses;
  T* scale;  ///< [M] y_j
  T* lost;   ///< [M] 1 - y_j

  Part(const AddedPlan<T>& plan, std::int64_t num_rows, ThreadPool& pool)
      : pass(plan.reduction, pool),
        row_masses(plan.row_masses),
        scale(pass.frame().template take<T>(pass.num_columns())),
        lost(pass.frame().template take<T>(pass.num_columns())) {
    check_size("rows of an added plan", at(pass.num_rows()), num_rows);
    check_size("row_masses", row_masses.size(), num_rows);
    check_size("column_scale of an added plan", plan.column_scale.size(), pass.num_columns());
    for (std::size_t j = 0; j < plan.column_scale.size(); ++j) {
      scale[j] = static_cast<T>(plan.column_scale[j]);
      lost[j] = static_cast<T>(1 - plan.column_scale[j]);
    }
  }

  /// Adds a block to rows of P_ij / a_i. @param[out] missing [count] what is left of r_i / a_i.
  void add_to(SoftmaxBlock<T>& rows, std::span<const double> a, std::int64_t first_row,
              std::int64_t count, Workspace& workspace, double* f, double* missing) const {
    SoftmaxBlock<T> own(pass, TileLayout::rows, workspace);
    own.make(first_row, count, f);
    for (std::int64_t r = 0; r < count; ++r) {
      const double weight = a[at(first_row + r)];
      const double mass = row_masses[at(first_row + r)];
      if (weight == 0 || mass == 0) {
        missing[r] = 0;
        continue;
      }
      missing[r] = mass / weight;
      if (own.sum(r) == 0) continue;  // no column is left for this row
      const T* values = own.row(r);
      const T factor = static_cast<T>(missing[r] / own.sum(r));
      T* to = rows.row(r);
      for (std::int64_t j = 0; j < pass.num_columns(); ++j) to[j] += factor * values[j] * scale[j];
      missing[r] *= pass.kernels().dot(values, lost, pass.num_columns()) / own.sum(r);
    }
  }
};

}  // namespace

// Row i of the plan is a_i b_j q_ij with q_ij = S_ij y_j / b_j + (ea_i / a_i) eb_j / (b_j E).
// Rows of S sum to 1, so ea_i / a_i = 1 - sum_j S_ij y_j = sum_j S_ij (1 - y_j), which is taken in
// the second form: nothing cancels and it is never negative. With added plans, rows of the tile
// become S_ij y_j + sum_k r_i R_ij y_j / a_i.
template <class T>
RoundedTotals rounded_plan_totals(const Reduction<T>& reduction, std::span<const double> a,
                                  std::span<const double> column_scale,
                                  std::span<const double> column_missing, double total_missing,
                                  ThreadPool& pool, const CostMatrix<T>* prices,
                                  std::span<const AddedPlan<T>> added) {
  PreparedReduction<T> pass(reduction, pool);
  std::optional<PreparedReduction<T>> priced;
  if (prices != nullptr) {
    check_size("rows of prices", at(prices->num_rows()), pass.num_rows());
    priced.emplace(Reduction<T>{*prices, reduction.log_b, reduction.g, reduction.epsilon}, pool);
  }
  const std::int64_t m = pass.num_columns();
  check_size("a", a.size(), pass.num_rows());
  check_size("column_scale", column_scale.size(), m);
  check_size("column_missing", column_missing.size(), m);
  KANTOR_CHECK(total_missing >= 0, "rounded plan: total missing mass = ", total_missing,
               ", expected a number >= 0");
  std::deque<Part<T>> parts;
  for (const AddedPlan<T>& plan : added) parts.emplace_back(plan, pass.num_rows(), pool);
  const Columns<T> columns(reduction.log_b, column_scale, column_missing, total_missing,
                           pass.frame());
  const std::vector<double> ones(added.empty() ? 0 : at(m), 1.0);
  std::optional<Columns<T>> whole;  // of rows that are scaled already
  if (!added.empty()) {
    whole.emplace(reduction.log_b, ones, column_missing, total_missing, pass.frame());
  }
  std::vector<RoundedTotals> lanes(at(pass.cut().num_lanes));

  pass.for_each_lane([&](std::int64_t lane, Workspace& workspace) {
    SoftmaxBlock<T> softmax(pass, TileLayout::rows, workspace);
    Workspace::Frame frame(workspace);
    T* costs = frame.take<T>(pass.cut().rows_per_block * m);
    double* f = frame.take<double>(pass.cut().rows_per_block);
    double* missing = frame.take<double>(pass.cut().rows_per_block);
    RoundedTotals total;
    RoundedTotals at_prices;
    const auto add_rows = [&](const PreparedReduction<T>& prices_of, std::int64_t first_row,
                              std::int64_t count, RoundedTotals& to) {
      prices_of.make_costs(first_row, count, workspace, costs);
      for (std::int64_t r = 0; r < count; ++r) {
        const double weight = a[at(first_row + r)];
        if (weight == 0 || softmax.sum(r) == 0) continue;
        const RoundedRow row = pass.kernels().rounded_row(
            softmax.row(r), static_cast<T>(whole ? 1 : 1 / softmax.sum(r)), costs + r * m,
            static_cast<T>(missing[r]), whole.value_or(columns).view(), m);
        to.add({weight * row.transport_cost, weight * row.kl, weight * missing[r]});
      }
    };
    pass.cut().for_each_of_lane(lane, [&](std::int64_t first_row, std::int64_t count) {
      softmax.make(first_row, count, f);
      for (std::int64_t r = 0; r < count; ++r) {
        if (softmax.sum(r) == 0) continue;
        if (whole) {
          const T factor = static_cast<T>(1 / softmax.sum(r));
          T* values = softmax.row(r);
          for (std::int64_t j = 0; j < m; ++j)
            values[j] *= factor * static_cast<T>(column_scale[at(j)]);
        } else {
          missing[r] = pass.kernels().dot(softmax.row(r), columns.lost, m) / softmax.sum(r);
        }
      }
      for (const Part<T>& part : parts) {
        part.add_to(softmax, a, first_row, count, workspace, f, missing);
      }
      add_rows(pass, first_row, count, total);
      if (priced) add_rows(*priced, first_row, count, at_prices);
    });
    total.priced_cost = at_prices.transport_cost;
    lanes[at(lane)] = total;
  });

  RoundedTotals total;
  for (const RoundedTotals& part : lanes) total.add(part);
  return total;
}

#define KANTOR_ROUNDED_PLAN(T)                                                                 \
  template RoundedTotals rounded_plan_totals(const Reduction<T>&, std::span<const double>,     \
                                             std::span<const double>, std::span<const double>, \
                                             double, ThreadPool&, const CostMatrix<T>*,        \
                                             std::span<const AddedPlan<T>>);
KANTOR_ROUNDED_PLAN(float)
KANTOR_ROUNDED_PLAN(double)
#undef KANTOR_ROUNDED_PLAN

}  // namespace kantor::kernels
