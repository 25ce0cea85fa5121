#include "solvers/eot/plan_value.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "solvers/eot/missing_mass.hpp"
#include "solvers/eot/routed_plan.hpp"

namespace kantor {

kernels::RoundedTotals rounded_totals(const ShardedPairs<double>& problem,
                                      std::span<const double> g,
                                      std::span<const double> row_weights,
                                      std::span<const double> column_scale,
                                      std::span<const double> column_missing, double total_missing,
                                      Context& context, const ShardedPairs<double>* prices,
                                      std::span<const kernels::AddedPlan<double>> added) {
  const kernels::Reduction<double> whole = problem.over_y(g);
  kernels::RoundedTotals totals;
  problem.for_each_part([&](const RowPart& part, const kernels::CostMatrix<double>& cost) {
    std::optional<kernels::RowRange<double>> priced;
    if (prices != nullptr) priced.emplace(prices->over_y(g).cost, part.first, part.count);
    std::vector<kernels::AddedPlan<double>> of_part;
    for (const kernels::AddedPlan<double>& plan : added) {
      const kernels::Reduction<double>& own = plan.reduction;
      of_part.push_back(
          {{cost, own.log_b, own.g, own.epsilon}, part.of(plan.row_masses), plan.column_scale});
    }
    totals.add(kernels::rounded_plan_totals<double>(
        {cost, whole.log_b, g, whole.epsilon}, part.of(row_weights), column_scale, column_missing,
        total_missing, context.pool, priced ? &*priced : nullptr, of_part));
  });
  return totals;
}

namespace {

double l1_distance(std::span<const double> x, std::span<const double> y) {
  double sum = 0;
  for (std::size_t j = 0; j < x.size(); ++j) sum += std::abs(x[j] - y[j]);
  return sum;
}

constexpr double kLittle = 0.05;  // of a mass of 1

/// The rounded plan.
/// @param added for what is missing in the plan of g, but for what is left.
void price(const ShardedPairs<double>& problem, std::span<const double> g, const CutColumns& cut,
           std::span<const kernels::AddedPlan<double>> added, const Missing& left,
           const ShardedPairs<double>* prices, PlanValue& value, Context& context) {
  const kernels::RoundedTotals totals = rounded_totals(
      problem, g, problem.a(), cut.scale, left.columns, left.mass, context, prices, added);
  std::vector<double> sums = {totals.transport_cost, totals.kl, totals.priced_cost};
  context.world.all_reduce<double>(sums, ReduceOp::sum, "plan value");
  value.transport_cost = sums[0];
  value.kl = sums[1];
  value.priced_cost = sums[2];
  value.objective = value.transport_cost + problem.epsilon() * value.kl;
}

/// Whether little mass costs much, because it was put anywhere. A plan that lacks a lot is far from
/// the optimum itself.
bool is_dear(const PlanValue& value, const CutColumns& cut, double epsilon) {
  constexpr double kMuch = 0.01;
  return cut.mass <= kLittle && value.gap() > kMuch * value.scale(epsilon);
}

/// The rounded plan where some pairs are forbidden, and no product may be added. Rows that lack
/// mass may have no allowed pair with the columns that do: then it is routed. Infinite if that is
/// given up.
void price_allowed(const ShardedPairs<double>& problem, std::span<const double> g,
                   const CutColumns& cut, const ShardedPairs<double>* prices, PlanValue& value,
                   Context& context) {
  const MakeUp make_up(problem, g, cut, context);
  std::vector<kernels::AddedPlan<double>> plans = make_up.plans();
  if (make_up.left().mass <= kMissingByRounding) {
    price(problem, g, cut, plans, {{}, make_up.left().columns, 0}, prices, value, context);
    return;
  }
  plans.push_back({problem.over_y(g), problem.a(), cut.scale});
  const RoutedTotals totals = routed_totals(problem, plans, make_up.left(), context);
  value.transport_cost =
      totals.is_feasible ? totals.transport_cost : std::numeric_limits<double>::infinity();
  value.kl = totals.kl;
  value.objective = value.transport_cost + problem.epsilon() * value.kl;
}

}  // namespace

std::vector<double> column_sums(const ShardedPairs<double>& problem, std::span<const double> f,
                                std::span<const double> g, Context& context) {
  std::vector<double> columns(g.size());
  problem.plan_columns(f, g, columns);
  context.world.all_reduce<double>(columns, ReduceOp::sum, "column sums");
  return columns;
}

PlanValue plan_value(const ShardedPairs<double>& problem, std::span<const double> f,
                     std::span<const double> g, Context& context,
                     const ShardedPairs<double>* prices) {
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

  const CutColumns cut(b, columns);
  if (problem.has_forbidden_pairs()) {
    price_allowed(problem, g, cut, prices, value, context);
    return value;
  }
  price(problem, g, cut, {}, {{}, cut.missing, cut.mass}, prices, value, context);
  if (is_dear(value, cut, epsilon)) {
    const MakeUp make_up(problem, g, cut, context);
    PlanValue better = value;
    price(problem, g, cut, make_up.plans(), make_up.left(), prices, better, context);
    if (better.objective < value.objective) value = std::move(better);
  }
  return value;
}

bool is_confirmed_in_double(bool converged, std::span<const double> marginal_error,
                            double tolerance, Context& context) {
  const double error = std::max(marginal_error[0], marginal_error[1]);
  const bool is_small = error <= 2 * tolerance;
  if (converged && !is_small) {
    context.log.warn_once(concat("the marginal error is ", error,
                                 " in double, above the tolerance ", tolerance,
                                 "; use run.precision = \"float64\""));
  }
  return converged && is_small;
}

}  // namespace kantor
