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

}  // namespace

std::vector<double> column_sums(const ShardedEot<double>& problem, std::span<const double> f,
                                std::span<const double> g, Context& context) {
  std::vector<double> columns(g.size());
  problem.plan_columns(f, g, columns);
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

  // The plan as it is, and that with exact rows: one pass gives the columns of both, unless there
  // are too many.
  std::vector<double> exact_f(a.size());
  std::vector<double> sums_of_both(2 * g.size());
  const std::span<double> columns = std::span(sums_of_both).first(g.size());  // of exact rows
  const std::span<double> given_columns = std::span(sums_of_both).last(g.size());
  const kernels::UpdatedColumns wanted[] = {{{}, columns}, {{f, 0}, given_columns}};
  const bool is_one_pass = problem.m() <= kMostColumnsAtOnce;
  problem.transform_to_x(g, epsilon, std::span(wanted).first(is_one_pass ? 2 : 1), exact_f);
  if (!is_one_pass) problem.plan_columns(f, g, given_columns);
  context.world.all_reduce<double>(sums_of_both, ReduceOp::sum, "column sums");
  const auto is_finite = [](double sum) { return std::isfinite(sum); };
  if (!std::all_of(given_columns.begin(), given_columns.end(), is_finite)) {
    // f is too far from the soft minima for a plan that was made with those.
    const std::vector<double> sums = column_sums(problem, f, g, context);
    std::copy(sums.begin(), sums.end(), given_columns.begin());
  }
  std::vector<double> ratio(a.size());  // row sum / a_i
  for (std::size_t i = 0; i < a.size(); ++i) ratio[i] = std::exp((f[i] - exact_f[i]) / epsilon);
  const double mass = problem.expectation_x(ratio);
  for (double& r : ratio) r = std::abs(r - 1);
  value.marginal_error = {problem.expectation_x(ratio), l1_distance(given_columns, b)};
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
  std::vector<double> sums(3, 0.0);
  if (!a.empty()) {
    const kernels::RoundedTotals totals = kernels::rounded_plan_totals<double>(
        problem.over_y(g), a, scale, missing, total_missing, context.pool,
        prices != nullptr ? &prices->over_y(g).cost : nullptr);
    sums = {totals.transport_cost, totals.kl, totals.priced_cost};
  }
  context.world.all_reduce<double>(sums, ReduceOp::sum, "plan value");
  value.transport_cost = sums[0];
  value.kl = sums[1];
  value.priced_cost = sums[2];
  value.objective = value.transport_cost + epsilon * value.kl;
  return value;
}

}  // namespace kantor::sinkhorn
