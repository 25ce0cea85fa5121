#include "solvers/sinkhorn/sinkhorn.hpp"

#include <malloc.h>

#include <algorithm>
#include <cmath>

#include "runtime/core/error.hpp"
#include "runtime/core/process.hpp"
#include "runtime/core/text.hpp"
#include "runtime/kernels/absorbed/absorbed_kernel.hpp"
#include "solvers/eot/evaluation_progress.hpp"
#include "solvers/eot/gauge.hpp"
#include "solvers/eot/plan_diagnostics.hpp"
#include "solvers/eot/plan_value.hpp"
#include "solvers/eot/storage/record.hpp"
#include "solvers/eot/storage/report.hpp"
#include "solvers/eot/unbalanced_value.hpp"
#include "solvers/sinkhorn/advice.hpp"
#include "solvers/sinkhorn/divergence.hpp"
#include "solvers/sinkhorn/names_of_before.hpp"
#include "solvers/sinkhorn/solution.hpp"
#include "solvers/sinkhorn/warm_start.hpp"

namespace kantor::sinkhorn {

namespace {

SolveShape shape_of(const Pair& pair, const Context& context) {
  return solve_shape(pair, {}, context.run.is_double(), context);
}

/// What is stored, and how long that took.
struct Costs {
  StoragePlan plan;
  double store_s = 0;
};

/// Storage of the problem, then for the divergence of each marginal against itself. All before
/// anything is solved.
std::vector<StoragePlan> plans_of(const SinkhornConfig& config, const Pair& pair,
                                  CheckpointScope& run, Context& context) {
  const Storage asked = storage_named(config.storage);
  std::vector<StoragePlan> plans = {recorded_plan(run, "sinkhorn.storage", shape_of(pair, context),
                                                  asked, workload_of(config, pair), context)};
  if (!config.divergence) return plans;
  // Their matrices have other sizes than the problem's own: what was asked for it may not fit.
  const Storage others = asked == Storage::streamed ? asked : Storage::automatic;
  const char* const names[] = {"sinkhorn.storage_xx", "sinkhorn.storage_yy"};
  for (std::size_t k = 0; k < 2; ++k) {
    plans.push_back(
        recorded_plan(run, names[k], shape_of(self_pair(pair, k), context), others, {}, context));
  }
  return plans;
}

struct Solved {
  Report report;
  Costs costs;
  std::vector<double> f;  ///< [N_r]
  std::vector<double> g;  ///< [M]
};

template <class T>
Solution solve_in(const SinkhornConfig& config, const Pair& pair, Costs& costs, Context& context,
                  CheckpointScope& run) {
  ShardedPairs<T> points(pair, {}, costs.plan, context);
  context.log.info("storage        " + costs.plan.text());
  const double start = monotonic_seconds();
  points.store_costs();
  costs.store_s = monotonic_seconds() - start;
  costs.plan.form = points.storage();
  Solution solution{.g = std::vector<double>(static_cast<std::size_t>(points.m()))};
  std::vector<double> f;
  if (!is_under_way(run)) solution.g = warm_start(config, pair, points, context);
  solution.report = iterate(points, config.stopping(), f, solution.g, context, "sinkhorn", run);
  solution.f = points.gather_x(f);
  return solution;
}

/// The problem itself, by the names and steps of the run.
Solved solve_first(const SinkhornConfig& config, const Pair& pair, const StoragePlan& plan,
                   CheckpointScope& run, Context& context) {
  Costs costs{.plan = plan};
  Solution solution = solve_once(run, "stage.sinkhorn", pair.n(0), pair.n(1), context.world, [&] {
    return in_precision(context,
                        [&]<class T>() { return solve_in<T>(config, pair, costs, context, run); });
  });
  const Shard rows = shard_of(pair.n(0), context.world.rank(), context.world.size());
  return {solution.report,
          costs,
          {solution.f.begin() + rows.first, solution.f.begin() + rows.last},
          std::move(solution.g)};
}

/// What the potentials prove, evaluated in double.
PlanValue evaluate(const Pair& pair, const Solved& solved, CheckpointScope& run, Context& context,
                   Result& result) {
  ShardedPairs<double> points(pair, {}, Storage::streamed, context);
  const std::int64_t passes = pair.rho.is_balanced() ? num_value_passes(points.m())
                              : pair.rho.is_free()   ? 3
                                                     : 6;
  const std::int64_t step = solved.report.iterations;
  EvaluationProgress evaluation(
      passes, step, [&] { run.save_found(step); }, context);
  points.pause_in(&evaluation);
  UnbalancedValue value;
  if (pair.rho.is_balanced()) {
    static_cast<PlanValue&>(value) = plan_value(points, solved.f, solved.g, context);
    if (std::isfinite(value.objective)) {
      plan_diagnostics(pair, points, value.kl, value.exact_f, solved.g).put_into(result, pair);
    }
  } else {
    value = unbalanced_value(points, solved.f, solved.g, context);
    result.own
        .set("marginal_penalty", value.marginal_penalty,
             "rho_x KL(P1 | a) + rho_y KL(P^T1 | b), part of the objective")
        .before = "dual_value";
    result.own.set("mass", value.mass, "of the plan").before = "dual_value";
    PlanDiagnostics{.entropy = value.entropy}.put_into(result, pair);
  }
  evaluation.finish();
  if (std::isfinite(value.objective)) {  // else there is no upper bound
    result.objective = value.objective;
    result.transport_cost = value.transport_cost;
    result.kl = value.kl;
  }
  result.dual_value = value.dual_value;
  result.marginal_error = value.marginal_error;
  std::vector<double> f = points.gather_x(solved.f);
  std::vector<double> g = solved.g;
  if (pair.rho.is_balanced()) fix_gauge(pair.x.marginal.weights(), f, g);
  if (context.world.rank() == 0) {
    result.add_potentials("potentials", {std::move(f), std::move(g)});
  }
  return value;
}

/// Each marginal against itself, from this step on. @param xy of the problem itself.
void add_divergence(const SinkhornConfig& config, const Pair& pair, const PlanValue& xy,
                    std::span<const StoragePlan> plans, CheckpointScope& run, std::int64_t step,
                    Context& context, Result& result) {
  SelfTransport xx = solve_self(pair, 0, config.stopping(), plans[0], run, step, context);
  step += xx.report.iterations;
  SelfTransport yy = solve_self(pair, 1, config.stopping(), plans[1], run, step, context);
  result.own.set("divergence", divergence_of(xy, xx, yy).record(), "Sinkhorn divergence").before =
      "marginal_error";
  for (const SelfTransport* self : {&xx, &yy}) {
    const bool converged =
        is_confirmed_in_double(self->report.converged, self->value.marginal_error, config.tolerance,
                               context) &&
        self->value.is_tight(config.tolerance, pair.epsilon);
    if (result.converged) *result.converged = *result.converged && converged;
  }
  if (context.world.rank() == 0) {
    result.add_potentials("divergence", {std::move(xx.potential), std::move(yy.potential)});
  }
}

}  // namespace

Result solve(const SinkhornConfig& config, const Problem& problem, Context& context) {
  const Pair pair = pair_of(problem);
  const double start = monotonic_seconds();
  CheckpointScope run(context.checkpoints, in_names_of_today);
  std::vector<StoragePlan> plans = plans_of(config, pair, run, context);
  const Solved solved = solve_first(config, pair, plans[0], run, context);
  plans[0] = solved.costs.plan;
  malloc_trim(0);  // points in double take the place of those that were solved with
  const double solve_end = monotonic_seconds();

  Result result;
  result.iterations = solved.report.iterations;
  result.own.set("fallback_iterations", solved.report.fallbacks,
                 "with columns that had all but vanished, which took a second pass");
  if (plans[0].form != Storage::automatic) {  // a GPU's choice, if the solve was over before
    result.own.set("storage",
                   storage_report(plans, solved.report.seconds_per_iteration,
                                  solved.costs.store_s + solved.report.refresh_s,
                                  solved.report.refreshes, context),
                   "how costs were stored: what was predicted, and what came");
  }
  context.log.info("evaluating the plan, in double");
  const PlanValue value = evaluate(pair, solved, run, context, result);
  const bool has_wide_gap = !value.is_tight(config.tolerance, pair.epsilon);
  if (config.tolerance > 0) {
    result.converged = is_confirmed_in_double(solved.report.converged, value.marginal_error,
                                              config.tolerance, context) &&
                       !has_wide_gap;
  }
  const double divergence_start = monotonic_seconds();
  if (config.divergence) {
    add_divergence(config, pair, value, std::span(plans).subspan(1), run, solved.report.iterations,
                   context, result);
  }
  const double divergence_time = monotonic_seconds() - divergence_start;
  if (!result.converged.value_or(true)) {
    result.advice.push_back(advice_of(
        {.marginal_error = value.marginal_error,
         .iterations = result.iterations,
         .is_stalled = solved.report.is_stalled,
         .has_wide_gap = has_wide_gap,
         .lower = value.dual_value,
         .upper = result.objective,
         .or_else = "; solver.sinkhorn.warm_start = \"this run's folder\" goes on from here"},
        config, context.run.precision));
  }
  result.seconds.solve = solve_end - start + divergence_time;
  result.seconds.certificate = divergence_start - solve_end;
  return result;
}

std::vector<Line> lines_of(const Record& result) {
  std::vector<Line> lines = plan_lines(result);
  if (result.contains("divergence")) {
    const auto number = [&](const char* name) { return format_digits(result.number(name), 7); };
    lines.push_back({"divergence",
                     concat(number("divergence.value"), "  in [", number("divergence.lower"), ", ",
                            number("divergence.upper"), "]"),
                     "reference"});
  }
  return lines;
}

Workload workload_of(const SinkhornConfig& config, const Pair& pair) {
  constexpr double kUsual = 100;  // iterations to a tolerance
  constexpr double kFew = 4;      // refreshes of any solve
  Workload workload;
  const auto most = static_cast<double>(config.max_iterations);
  workload.iterations = config.tolerance > 0 ? std::min(most, kUsual) : most;
  workload.tail_iterations = std::max(workload.iterations - kUsual, 0.0);
  workload.reads_codes = config.momentum.is_plain();
  if (pair.rho.is_balanced() && !config.epsilon_decay) {
    // Potentials travel about a mean cost.
    const double drifts = pair.mean_cost / pair.epsilon / kernels::AbsorbedKernel<float>::kMaxDrift;
    workload.refreshes = std::max(kFew, drifts);
  }
  return workload;
}

std::vector<StoragePlan> storage_plans(const SinkhornConfig& config, const Problem& problem,
                                       Context& context) {
  CheckpointScope run(context.checkpoints);
  return plans_of(config, pair_of(problem), run, context);
}

}  // namespace kantor::sinkhorn
