#include "solvers/sinkhorn/sinkhorn.hpp"

#include <algorithm>
#include <cmath>

#include "runtime/core/error.hpp"
#include "runtime/core/process.hpp"
#include "solvers/sinkhorn/divergence.hpp"
#include "solvers/sinkhorn/iteration.hpp"
#include "solvers/sinkhorn/plan_shape.hpp"
#include "solvers/sinkhorn/plan_value.hpp"
#include "solvers/sinkhorn/stages.hpp"
#include "solvers/sinkhorn/unbalanced_value.hpp"
#include "solvers/sinkhorn/warm_start.hpp"

namespace kantor::sinkhorn {

namespace {

struct Solved {
  Report report;
  std::vector<double> f;  ///< [N_r]
  std::vector<double> g;  ///< [M]
};

template <class T>
Ended solve_in(const SinkhornConfig& config, const Problem& problem, Context& context,
               Checkpoints& keep) {
  const ShardedEot<T> points(problem, {}, storage_named(config.storage), context);
  context.log.info(
      points.is_absorbed()
          ? std::string("the kernel is stored, potentials absorbed")
          : concat("costs are ", points.is_materialised() ? "materialised" : "streamed"));
  Ended ended;
  std::vector<double> f;
  ended.g = warm_start(config, problem, points, context);
  ended.report = iterate(points, config.stopping(), f, ended.g, context, "sinkhorn", &keep);
  ended.f = points.gather_x(f);
  return ended;
}

/// The problem itself, the first of the stages.
Solved solve_first(const SinkhornConfig& config, const Problem& problem, Stages& stages,
                   Context& context) {
  Ended ended =
      stages.solve("sinkhorn", problem.n(0), problem.n(1), context.world, [&](Checkpoints& keep) {
        return context.run.precision == "float64" ? solve_in<double>(config, problem, context, keep)
                                                  : solve_in<float>(config, problem, context, keep);
      });
  const Shard rows = shard_of(problem.n(0), context.world.rank(), context.world.size());
  return {ended.report,
          {ended.f.begin() + rows.first, ended.f.begin() + rows.last},
          std::move(ended.g)};
}

/// What the potentials prove, evaluated in double.
PlanValue evaluate(const Problem& problem, const Solved& solved, Context& context, Result& result) {
  const ShardedEot<double> points(problem, {}, Storage::automatic, context);
  UnbalancedValue value;
  if (problem.rho.is_balanced()) {
    static_cast<PlanValue&>(value) = plan_value(points, solved.f, solved.g, context);
    result.shape = plan_shape(problem, points, value.kl, value.exact_f, solved.g);
  } else {
    value = unbalanced_value(points, solved.f, solved.g, context);
    result.mass = value.mass;
    result.marginal_penalty = value.marginal_penalty;
    result.shape = PlanShape{.entropy = value.entropy};
  }
  result.objective = value.objective;
  result.transport_cost = value.transport_cost;
  result.kl = value.kl;
  result.dual_value = value.dual_value;
  result.marginal_error = value.marginal_error;
  std::vector<double> f = points.gather_x(solved.f);
  std::vector<double> g = solved.g;
  if (problem.rho.is_balanced()) fix_gauge(problem.marginals[0].weights(), f, g);
  if (context.world.rank() == 0) result.potentials = {std::move(f), std::move(g)};
  return value;
}

/// Each marginal against itself. @param xy of the problem itself.
void add_divergence(const SinkhornConfig& config, const Problem& problem, const PlanValue& xy,
                    Stages& stages, Context& context, Result& result) {
  // Their matrices have other sizes than the problem's own: what was asked for it may not fit.
  const Storage storage = config.storage == "streamed" ? Storage::streamed : Storage::automatic;
  SelfTransport xx = solve_self(problem, 0, config.stopping(), storage, stages, context);
  SelfTransport yy = solve_self(problem, 1, config.stopping(), storage, stages, context);
  result.divergence = divergence_of(xy, xx, yy);
  for (const SelfTransport* self : {&xx, &yy}) {
    const bool converged =
        is_believed(self->report.converged, self->value.marginal_error, config.tolerance, context);
    if (result.converged) *result.converged = *result.converged && converged;
  }
  if (context.world.rank() == 0) {
    result.self_potentials = {std::move(xx.potential), std::move(yy.potential)};
  }
}

}  // namespace

bool is_believed(bool converged, std::span<const double> marginal_error, double tolerance,
                 Context& context) {
  const double error = std::max(marginal_error[0], marginal_error[1]);
  const bool is_small = error <= 2 * tolerance;
  if (converged && !is_small) {
    context.log.warn_once(concat("the marginal error is ", error,
                                 " in double, above the tolerance ", tolerance,
                                 "; use run.precision = \"float64\""));
  }
  return converged && is_small;
}

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
  Stages stages(context.checkpoints);
  const Solved solved = solve_first(config, problem, stages, context);
  const double solve_end = monotonic_seconds();

  Result result;
  result.iterations = solved.report.iterations;
  result.fallback_iterations = solved.report.fallbacks;
  result.is_stalled = solved.report.is_stalled;
  const PlanValue value = evaluate(problem, solved, context, result);
  if (config.tolerance > 0) {
    result.converged =
        is_believed(solved.report.converged, value.marginal_error, config.tolerance, context);
  }
  const double divergence_start = monotonic_seconds();
  if (config.divergence) add_divergence(config, problem, value, stages, context, result);
  const double divergence_time = monotonic_seconds() - divergence_start;
  result.seconds.solve = solve_end - start + divergence_time;
  result.seconds.certificate = divergence_start - solve_end;
  return result;
}

double bytes_per_rank(const SinkhornConfig& config, const Problem& problem,
                      const Context& context) {
  const double element = context.run.precision == "float64" ? 8 : 4;
  const auto ranks = static_cast<double>(context.world.size());
  const auto n = std::ceil(static_cast<double>(problem.n(0)) / ranks);
  const auto m = static_cast<double>(problem.n(1));
  if (problem.cost_matrix) return 2 * n * m * 8;  // once each way, in double for the evaluation
  const double points = (n + m) * static_cast<double>(problem.d()) * element;
  const double costs = config.storage == "streamed" ? 0 : n * m * element;
  return points + costs;
}

}  // namespace kantor::sinkhorn
