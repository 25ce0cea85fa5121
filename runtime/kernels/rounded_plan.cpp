#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <vector>

#include "runtime/core/error.hpp"
#include "runtime/kernels/soft_min_pass.hpp"

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

void add(RoundedTotals& total, const RoundedTotals& part) {
  total.transport_cost += part.transport_cost;
  total.kl += part.kl;
  total.missing_mass += part.missing_mass;
  total.priced_cost += part.priced_cost;
}

}  // namespace

// Row i of the plan is a_i b_j q_ij with q_ij = S_ij y_j / b_j + (ea_i / a_i) eb_j / (b_j E).
// Rows of S sum to 1, so ea_i / a_i = 1 - sum_j S_ij y_j = sum_j S_ij (1 - y_j), which is taken in
// the second form: nothing cancels and it is never negative.
template <class T>
RoundedTotals rounded_plan_totals(const Reduction<T>& reduction, std::span<const double> a,
                                  std::span<const double> column_scale,
                                  std::span<const double> column_missing, double total_missing,
                                  ThreadPool& pool, const CostMatrix<T>* prices) {
  Pass<T> pass(reduction, pool);
  std::optional<Pass<T>> priced;
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
  const Columns<T> columns(reduction.log_b, column_scale, column_missing, total_missing,
                           pass.frame());
  std::vector<RoundedTotals> lanes(at(pass.cut().num_lanes));

  pass.for_each_lane([&](std::int64_t lane, Workspace& workspace) {
    SoftmaxBlock<T> softmax(pass, TileLayout::rows, workspace);
    Workspace::Frame frame(workspace);
    T* costs = frame.take<T>(pass.cut().rows_per_block * m);
    double* f = frame.take<double>(pass.cut().rows_per_block);
    RoundedTotals total;
    RoundedTotals at_prices;
    const auto add_rows = [&](const Pass<T>& prices_of, std::int64_t first_row, std::int64_t count,
                              RoundedTotals& to) {
      prices_of.make_costs(first_row, count, workspace, costs);
      for (std::int64_t r = 0; r < count; ++r) {
        const double weight = a[at(first_row + r)];
        const double sum = softmax.sum(r);
        if (weight == 0 || sum == 0) continue;
        const T* values = softmax.row(r);
        const double missing = pass.kernels().dot(values, columns.lost, m) / sum;
        const RoundedRow row =
            pass.kernels().rounded_row(values, static_cast<T>(1 / sum), costs + r * m,
                                       static_cast<T>(missing), columns.view(), m);
        add(to, {weight * row.transport_cost, weight * row.kl, weight * missing});
      }
    };
    pass.cut().for_each_of_lane(lane, [&](std::int64_t first_row, std::int64_t count) {
      softmax.make(first_row, count, f);
      add_rows(pass, first_row, count, total);
      if (priced) add_rows(*priced, first_row, count, at_prices);
    });
    total.priced_cost = at_prices.transport_cost;
    lanes[at(lane)] = total;
  });

  RoundedTotals total;
  for (const RoundedTotals& part : lanes) add(total, part);
  return total;
}

template RoundedTotals rounded_plan_totals(const Reduction<float>&, std::span<const double>,
                                           std::span<const double>, std::span<const double>, double,
                                           ThreadPool&, const CostMatrix<float>*);
template RoundedTotals rounded_plan_totals(const Reduction<double>&, std::span<const double>,
                                           std::span<const double>, std::span<const double>, double,
                                           ThreadPool&, const CostMatrix<double>*);

}  // namespace kantor::kernels
