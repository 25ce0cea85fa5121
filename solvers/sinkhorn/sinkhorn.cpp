#include "solvers/sinkhorn/sinkhorn.hpp"

#include <algorithm>
#include <cmath>

#include "runtime/core/error.hpp"
#include "runtime/core/process.hpp"
#include "solvers/sinkhorn/iteration.hpp"
#include "solvers/sinkhorn/plan_shape.hpp"
#include "solvers/sinkhorn/plan_value.hpp"

namespace kantor::sinkhorn {

namespace {

struct Solved {
  Report report;
  std::vector<double> f;  ///< [N_r]
  std::vector<double> g;  ///< [M]
};

template <class T>
Solved solve_in(const SinkhornConfig& config, const Problem& problem, Context& context) {
  const ShardedEot<T> points(problem, {}, storage_named(config.storage), context);
  context.log.info(concat("costs are ", points.is_materialised() ? "materialised" : "streamed"));
  Solved solved;
  solved.g.assign(static_cast<std::size_t>(points.m()), 0.0);
  solved.report = iterate(points, {config.tolerance, config.max_iterations}, solved.f, solved.g,
                          context, "sinkhorn", &context.checkpoints);
  return solved;
}

}  // namespace

double fix_gauge(std::span<const double> a, std::vector<double>& f, std::vector<double>& g) {
  double mean = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] > 0) mean += a[i] * f[i];
  }
  for (double& value : f) value -= mean;
  for (double& value : g) value += mean;
  return -mean;
}

Result solve(const SinkhornConfig& config, const Problem& problem, Context& context) {
  const double start = monotonic_seconds();
  Solved solved = context.run.precision == "float64" ? solve_in<double>(config, problem, context)
                                                     : solve_in<float>(config, problem, context);
  const double solve_end = monotonic_seconds();

  const ShardedEot<double> points(problem, {}, Storage::automatic, context);
  const PlanValue value = plan_value(points, solved.f, solved.g, context);

  Result result;
  result.iterations = solved.report.iterations;
  result.objective = value.objective;
  result.transport_cost = value.transport_cost;
  result.kl = value.kl;
  result.dual_value = value.dual_value;
  result.marginal_error = value.marginal_error;
  result.shape = plan_shape(problem, points, value.kl, value.exact_f, solved.g);
  if (config.tolerance > 0) {
    // The loop measures in run.precision; a tolerance below its rounding is not believed.
    const double error = std::max(value.marginal_error[0], value.marginal_error[1]);
    result.converged = solved.report.converged && error <= 2 * config.tolerance;
    if (solved.report.converged && !*result.converged) {
      context.log.warn_once(concat("the marginal error is ", error,
                                   " in double, above the tolerance ", config.tolerance,
                                   "; use run.precision = \"float64\""));
    }
  }
  std::vector<double> f = points.gather_x(solved.f);
  fix_gauge(problem.marginals[0].weights(), f, solved.g);
  if (context.world.rank() == 0) result.potentials = {std::move(f), std::move(solved.g)};
  result.seconds.solve = solve_end - start;
  result.seconds.certificate = monotonic_seconds() - solve_end;
  return result;
}

double bytes_per_rank(const SinkhornConfig& config, const Problem& problem,
                      const Context& context) {
  const double element = context.run.precision == "float64" ? 8 : 4;
  const auto ranks = static_cast<double>(context.world.size());
  const auto n = std::ceil(static_cast<double>(problem.n(0)) / ranks);
  const auto m = static_cast<double>(problem.n(1));
  const double points = (n + m) * static_cast<double>(problem.d()) * element;
  const double costs = config.storage == "streamed" ? 0 : n * m * element;
  return points + costs;
}

}  // namespace kantor::sinkhorn
