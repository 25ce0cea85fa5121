#include "solvers/sinkhorn/plan_value.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace kantor::sinkhorn {

namespace {

double l1_distance(std::span<const double> x, std::span<const double> y) {
  double sum = 0;
  for (std::size_t j = 0; j < x.size(); ++j) sum += std::abs(x[j] - y[j]);
  return sum;
}

/// The plan follows from one matrix of costs, what it costs from another.
class PricedCost final : public kernels::CostMatrix<double> {
 public:
  PricedCost(const kernels::CostMatrix<double>& plan, const kernels::CostMatrix<double>& prices)
      : CostMatrix(plan.num_rows(), plan.num_columns()), plan_(plan), prices_(prices) {}

  std::int64_t depth() const override { return plan_.depth(); }
  void prepare_columns(std::int64_t first_column, std::int64_t count, double* column_parts,
                       double* points) const override {
    plan_.prepare_columns(first_column, count, column_parts, points);
  }
  kernels::RowOperand<double> rows(std::int64_t first_row, std::int64_t count, double epsilon,
                                   Workspace::Frame& frame, double* row_parts) const override {
    return plan_.rows(first_row, count, epsilon, frame, row_parts);
  }
  void costs(std::int64_t first_row, std::int64_t count, double* tile) const override {
    prices_.costs(first_row, count, tile);
  }

 private:
  const kernels::CostMatrix<double>& plan_;
  const kernels::CostMatrix<double>& prices_;
};

}  // namespace

std::vector<double> column_sums(const ShardedEot<double>& problem, std::span<const double> f,
                                std::span<const double> g, Context& context) {
  std::vector<double> columns(g.size(), 0.0);
  if (!f.empty()) {
    kernels::plan_column_weights<double>(problem.over_y(g), f, problem.a(), context.pool, columns);
  }
  context.world.all_reduce<double>(columns, ReduceOp::sum, "column sums");
  return columns;
}

PlanValue plan_value(const ShardedEot<double>& problem, std::span<const double> f,
                     std::span<const double> g, Context& context,
                     const ShardedEot<double>* prices) {
  const std::span<const double> a = problem.a();
  const std::span<const double> b = problem.b();
  const double epsilon = problem.epsilon();
  PlanValue value;

  // The plan as it is: rows from the c-transform, columns from a pass of their own.
  std::vector<double> exact_f(a.size());
  std::vector<double> columns(g.size(), 0.0);  // of the plan with exact rows
  if (!a.empty()) {
    kernels::soft_min_weights<double>(problem.over_y(g), a, context.pool, exact_f, columns);
  }
  context.world.all_reduce<double>(columns, ReduceOp::sum, "column sums");
  std::vector<double> ratio(a.size());  // row sum / a_i
  for (std::size_t i = 0; i < a.size(); ++i) ratio[i] = std::exp((f[i] - exact_f[i]) / epsilon);
  const double mass = problem.expectation_x(ratio);
  for (double& r : ratio) r = std::abs(r - 1);
  value.marginal_error = {problem.expectation_x(ratio),
                          l1_distance(column_sums(problem, f, g, context), b)};
  value.dual_value = problem.expectation_x(f) + problem.expectation_y(g) - epsilon * (mass - 1);
  value.exact_f = std::move(exact_f);

  // The rounded plan.
  std::vector<double> scale(g.size());
  std::vector<double> missing(g.size());
  for (std::size_t j = 0; j < g.size(); ++j) {
    scale[j] = columns[j] > b[j] ? b[j] / columns[j] : 1;
    missing[j] = std::max(b[j] - scale[j] * columns[j], 0.0);
  }
  const double total_missing = std::accumulate(missing.begin(), missing.end(), 0.0);
  const auto totals_at = [&](const kernels::Reduction<double>& reduction) {
    return kernels::rounded_plan_totals<double>(reduction, a, scale, missing, total_missing,
                                                context.pool);
  };
  std::vector<double> sums(3, 0.0);
  if (!a.empty()) {
    const kernels::Reduction<double> reduction = problem.over_y(g);
    const kernels::RoundedTotals totals = totals_at(reduction);
    sums = {totals.transport_cost, totals.kl, 0};
    if (prices != nullptr) {
      const PricedCost priced(reduction.cost, prices->over_y(g).cost);
      sums[2] = totals_at({priced, reduction.log_b, g, epsilon}).transport_cost;
    }
  }
  context.world.all_reduce<double>(sums, ReduceOp::sum, "plan value");
  value.transport_cost = sums[0];
  value.kl = sums[1];
  value.priced_cost = sums[2];
  value.objective = value.transport_cost + epsilon * value.kl;
  return value;
}

}  // namespace kantor::sinkhorn
