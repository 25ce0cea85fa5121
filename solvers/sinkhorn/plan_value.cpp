#include "solvers/sinkhorn/plan_value.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace kantor::sinkhorn {

namespace {

/// Column sums of the plan of ANY potentials.
std::vector<double> column_sums(const ShardedEot<double>& problem, std::span<const double> f,
                                std::span<const double> g, Context& context) {
  std::vector<double> columns(g.size(), 0.0);
  if (!f.empty()) {
    kernels::plan_column_weights<double>(problem.over_y(g), f, problem.a(), context.pool, columns);
  }
  context.world.all_reduce<double>(columns, ReduceOp::sum, "column sums");
  return columns;
}

double l1_distance(std::span<const double> x, std::span<const double> y) {
  double sum = 0;
  for (std::size_t j = 0; j < x.size(); ++j) sum += std::abs(x[j] - y[j]);
  return sum;
}

}  // namespace

PlanValue plan_value(const ShardedEot<double>& problem, std::span<const double> f,
                     std::span<const double> g, Context& context) {
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

  // The rounded plan.
  std::vector<double> scale(g.size());
  std::vector<double> missing(g.size());
  for (std::size_t j = 0; j < g.size(); ++j) {
    scale[j] = columns[j] > b[j] ? b[j] / columns[j] : 1;
    missing[j] = std::max(b[j] - scale[j] * columns[j], 0.0);
  }
  const double total_missing = std::accumulate(missing.begin(), missing.end(), 0.0);
  kernels::RoundedTotals totals;
  if (!a.empty()) {
    totals = kernels::rounded_plan_totals<double>(problem.over_y(g), a, scale, missing,
                                                  total_missing, context.pool);
  }
  std::vector<double> sums = {totals.transport_cost, totals.kl};
  context.world.all_reduce<double>(sums, ReduceOp::sum, "plan value");
  value.transport_cost = sums[0];
  value.kl = sums[1];
  value.objective = value.transport_cost + epsilon * value.kl;
  return value;
}

}  // namespace kantor::sinkhorn
