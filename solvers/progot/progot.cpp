#include "solvers/progot/progot.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <optional>

#include "runtime/core/error.hpp"
#include "runtime/core/process.hpp"
#include "runtime/core/text.hpp"
#include "solvers/eot/entropic_map.hpp"
#include "solvers/eot/evaluation_progress.hpp"
#include "solvers/eot/plan_diagnostics.hpp"
#include "solvers/eot/plan_value.hpp"
#include "solvers/eot/storage/report.hpp"
#include "solvers/progot/cloud.hpp"
#include "solvers/progot/plans.hpp"
#include "solvers/progot/progot_model.hpp"
#include "solvers/progot/solved_steps.hpp"
#include "solvers/progot/tuning.hpp"
#include "solvers/sinkhorn/advice.hpp"
#include "solvers/sinkhorn/names_of_before.hpp"
#include "solvers/sinkhorn/sinkhorn.hpp"
#include "solvers/sinkhorn/solution.hpp"
#include "solvers/sinkhorn/symmetric.hpp"

// Shapes: K solves, N points x (N_r on this rank), M points y, D dimensions.

namespace kantor::progot {

namespace {

constexpr const char* kLastF = "progot.f";  ///< [N] of the last solve

/// How long the solves took, this rank's.
struct Timing {
  double iterations_s = 0;
  double num_iterations = 0;
  double store_s = 0;
  std::int64_t refreshes = 0;

  void add(const sinkhorn::Report& report) {
    const auto count =
        static_cast<double>(report.seconds_per_iteration > 0 ? report.iterations : 0);
    iterations_s += count * report.seconds_per_iteration;
    num_iterations += count;
    store_s += report.refresh_s;
    refreshes += report.refreshes;
  }
};

struct Solved {
  SolvedSteps course = {};
  std::vector<StoragePlan> plans = {};
  Timing timing = {};
  Pair source;                 ///< of the last solve, with its epsilon
  std::vector<double> f = {};  ///< [N_r] of the last solve
};

/// Where the next solve starts: a potential is a cost, and what is left of the way costs
/// (1 - alpha)^p times as much, of which the source's side takes one factor. Exact as epsilon -> 0.
/// For `dot` that holds of |x - y|^2 / 2, whose potentials are larger by |y|^2 / 2.
template <class T>
std::vector<double> warm_start(const Pair& source, const ShardedPairs<T>& points,
                               const SolvedStep& previous) {
  const bool is_pnorm = source.cost.kernel.kind == kernels::CostKind::pnorm;
  const double scale = std::pow(1 - previous.alpha, is_pnorm ? source.cost.kernel.p - 1 : 1);
  std::vector<double> g = previous.g;
  for (std::size_t j = 0; j < g.size(); ++j) {
    double offset = 0;
    if (source.cost.kernel.kind == kernels::CostKind::dot) {
      const T* y = points.y().data + j * source.centre.size();
      for (std::size_t k = 0; k < source.centre.size(); ++k) {
        const double value = static_cast<double>(y[k]) + source.centre[k];
        offset += value * value / 2;
      }
    }
    g[j] = scale * (g[j] + offset) - offset;
  }
  return g;
}

/// The moved cloud against itself, at the same epsilon and tolerance.
template <class T>
sinkhorn::Solution solve_self(const Pair& source, const sinkhorn::Stopping& stopping,
                              const SolvedSteps& course, const StoragePlan& plan, Context& context,
                              CheckpointScope& scope) {
  ShardedPairs<T> self(whole_self_pair(source, context.world), {}, plan, context);
  self.store_costs();
  sinkhorn::Solution solution;
  if (course.steps.empty()) {
    solution.f.assign(static_cast<std::size_t>(source.n(0)), 0.0);
  } else {
    solution.f = course.steps.back().f_self;
  }
  solution.report =
      sinkhorn::iterate_symmetric(self, stopping, solution.f, context, "progot, self", scope);
  return solution;
}

template <class T>
class Solves {
 public:
  Solves(const ProgotConfig& config, const sinkhorn::SinkhornConfig& inner, const Pair& pair,
         const EpsilonConfig& rule, Context& context)
      : config_(config),
        inner_(inner),
        rule_(rule),
        context_(context),
        alphas_(step_lengths(config)),
        tolerances_(step_tolerances(config, inner.tolerance)),
        run_(context.checkpoints, sinkhorn::in_names_of_today),
        solved_{.source = pair} {
    collectively(context.world, "restoring the solves", [&] {
      solved_.course = restored_steps(run_, config, pair.n(0), pair.n(1));
      std::vector<double> f(static_cast<std::size_t>(pair.n(0)));
      const Shard rows = shard_of(pair.n(0), context.world.rank(), context.world.size());
      if (run_.found(kLastF, f)) solved_.f.assign(f.begin() + rows.first, f.begin() + rows.last);
    });
    plan_epsilons(pair);
    solved_.plans = plans_of(config, inner, pair, run_, context);
  }

  /// @return what stays in this object.
  const Solved& run() {
    SolvedSteps& course = solved_.course;
    Pair& source = solved_.source;
    std::optional<ShardedPairs<T>> rows;
    for (std::size_t k = 0; k < alphas_.size(); ++k) {
      if (!course.planned_epsilons.empty()) source.epsilon = course.planned_epsilons.at(k);
      if (rows) rows->set_rows(source);
      if (!rows) rows.emplace(source, Subset{}, solved_.plans[0], context_);
      ShardedPairs<T>& points = *rows;
      if (k == 0) context_.log.info("storage        " + solved_.plans[0].text());
      const double start = monotonic_seconds();
      points.store_costs();
      solved_.timing.store_s += monotonic_seconds() - start;
      if (k == course.steps.size()) {
        course.steps.push_back(solve(points));
        run_.ended(name_of_step(k), course.steps.back());
      }
      if (k + 1 == alphas_.size()) {
        solved_.plans[0].form = points.storage();
        break;
      }
      source = moved(source, points, course.steps[k], rule_,
                     concat("in step ", k + 2, " of ", alphas_.size()), context_);
    }
    return solved_;
  }

  /// While all of it is evaluated. Collective. @param points as they were given.
  void save_solved(const ShardedPairs<double>& points) {
    std::vector<double> f = points.gather_x(solved_.f);
    run_.ended(kLastF, f);
    run_.save_found(solved_.course.all_iterations());
  }

 private:
  void plan_epsilons(const Pair& pair) {
    std::vector<double>& planned = solved_.course.planned_epsilons;
    if (!config_.epsilons.empty()) planned = config_.epsilons;
    if (planned.empty() && config_.epsilon_schedule == "tuned") {
      run_.save_found(0);
      planned = tuned_epsilons(config_, inner_, pair, context_);
    }
    if (planned.empty()) return;
    run_.ended("progot.planned_epsilons", planned);
    rule_ = {};
  }

  SolvedStep solve(const ShardedPairs<T>& points) {
    const SolvedSteps& course = solved_.course;
    const std::size_t k = course.steps.size();
    const std::string label = concat("progot ", k + 1, "/", alphas_.size());
    const sinkhorn::Stopping stopping{.tolerance = tolerances_[k],
                                      .max_iterations = inner_.max_iterations,
                                      .momentum = inner_.momentum};
    CheckpointScope scope(run_, name_of_step(k), course.all_iterations());
    SolvedStep step{.epsilon = points.epsilon(), .alpha = alphas_[k]};
    sinkhorn::Solution solution =
        sinkhorn::solve_once(scope, "solve", points.n(), points.m(), context_.world,
                             [&] { return solve(points, stopping, label, scope); });
    const sinkhorn::Report& report = solution.report;
    bool is_self_solved = true;
    if (config_.debiased) {
      sinkhorn::Solution self =
          sinkhorn::solve_once(scope, "self", points.n(), 0, context_.world, [&] {
            CheckpointScope inner(scope, "self", report.iterations);
            return solve_self<T>(solved_.source, stopping, course, solved_.plans[1], context_,
                                 inner);
          });
      step.f_self = std::move(self.f);
      step.self_iterations = self.report.iterations;
      is_self_solved = self.report.converged;
    }
    solved_.timing.add(report);
    step.iterations = report.iterations;
    step.converged = report.converged && is_self_solved;
    step.g = std::move(solution.g);
    context_.log.info(concat("step ", k + 1, " of ", alphas_.size(), ": epsilon ",
                             format_number(step.epsilon), ", ", step.iterations,
                             " iterations, marginal error ", report.marginal_error));
    if (config_.debiased) {
      const Shard& rows = points.rows();
      solved_.f.assign(solution.f.begin() + rows.first, solution.f.begin() + rows.last);
    }
    return step;
  }

  /// In the gauge sum_i a_i f_i = 0. f is gathered only if another solve follows in this step.
  sinkhorn::Solution solve(const ShardedPairs<T>& points, const sinkhorn::Stopping& stopping,
                           const std::string& label, CheckpointScope& scope) {
    const SolvedSteps& course = solved_.course;
    std::vector<double> f;
    sinkhorn::Solution solution;
    solution.g = course.steps.empty()
                     ? std::vector<double>(static_cast<std::size_t>(points.m()), 0.0)
                     : warm_start(solved_.source, points, course.steps.back());
    solution.report =
        sinkhorn::iterate(points, stopping, f, solution.g, context_, label.c_str(), scope);
    const double mean = points.expectation_x(f);
    for (double& value : f) value -= mean;
    for (double& value : solution.g) value += mean;
    if (config_.debiased) solution.f = points.gather_x(f);
    solved_.f = std::move(f);
    return solution;
  }

  const ProgotConfig& config_;
  const sinkhorn::SinkhornConfig& inner_;
  EpsilonConfig rule_;
  Context& context_;
  std::vector<double> alphas_;
  std::vector<double> tolerances_;
  CheckpointScope run_;
  Solved solved_;
};

/// What the plan of the last solve is worth: to the given problem, and to its own.
/// @param save what is done, by the given points.
/// @return what it is worth to its own.
PlanValue evaluate(const Pair& pair, const Solved& solved,
                   const std::function<void(const ShardedPairs<double>&)>& save, Result& result,
                   Context& context) {
  const SolvedStep& first = solved.course.steps.front();
  const SolvedStep& last = solved.course.steps.back();
  ShardedPairs<double> points(solved.source, {}, Storage::streamed, context);
  ShardedPairs<double> given(pair, {}, Storage::streamed, context);
  EvaluationProgress evaluation(
      num_value_passes(points.m()) + 1, solved.course.all_iterations(), [&] { save(given); },
      context);
  points.pause_in(&evaluation);
  given.pause_in(&evaluation);
  const PlanValue value = plan_value(points, solved.f, last.g, context, &given);
  result.transport_cost = value.priced_cost;
  result.kl = value.kl;
  result.objective = value.priced_cost + pair.epsilon * value.kl;
  result.marginal_error = value.marginal_error;
  plan_diagnostics(solved.source, points, value.kl, value.exact_f, last.g).put_into(result, pair);

  // The c-transform of any g is feasible; the first solve's belongs to the given cloud.
  std::vector<double> f(given.a().size());
  given.transform_to_x(first.g, f);
  result.dual_value = given.expectation_x(f) + given.expectation_y(first.g);
  evaluation.finish();

  std::vector<double> last_f = points.gather_x(solved.f);
  std::vector<double> moved = whole_cloud(solved.source, false, context.world);
  if (context.world.rank() == 0) {
    result.add_potentials("potentials", {std::move(last_f), last.g});
    result.arrays.push_back({"points", {pair.n(0), pair.d()}, std::move(moved)});
  }
  return value;
}

/// The last solve, between the moved cloud and the target.
Record last_step_of(double epsilon, const PlanValue& value) {
  Record step;
  step.set("epsilon", epsilon, "its own");
  step.set("transport_cost", value.transport_cost,
           "of the same rounded plan, at the costs of the moved cloud");
  step.set("objective", value.objective, "upper bound of this step's optimum");
  step.set("dual_value", value.dual_value, "lower bound of it");
  return step;
}

/// @return for each step whether it has reached its tolerance.
std::vector<bool> describe_steps(const SolvedSteps& course, const PlanValue& last, double tolerance,
                                 Result& result) {
  std::vector<double> epsilons, alphas;
  std::vector<std::int64_t> iterations;
  std::vector<bool> converged;
  for (const SolvedStep& step : course.steps) {
    epsilons.push_back(step.epsilon);
    alphas.push_back(step.alpha);
    iterations.push_back(step.iterations);
    converged.push_back(step.converged);
  }
  result.iterations = course.iterations();
  result.own.set("epsilons", epsilons, "one per solve, as the three that follow");
  result.own.set("alphas", alphas, "how much of the way the source then moves");
  result.own.set("iterations_per_step", iterations);
  if (tolerance > 0) result.own.set("converged_per_step", converged);
  result.own.set("last_step", last_step_of(epsilons.back(), last),
                 "the last solve, between the moved cloud and the target");
  return converged;
}

/// Whether all steps have converged, and what to change where they have not.
void judge(const std::vector<bool>& steps, const PlanValue& last, double last_epsilon,
           const sinkhorn::SinkhornConfig& inner, Result& result, Context& context) {
  if (!(inner.tolerance > 0)) return;  // nothing to reach
  const auto missed = std::find(steps.begin(), steps.end(), false);
  const bool has_wide_gap = !last.is_tight(inner.tolerance, last_epsilon);
  result.converged = is_confirmed_in_double(missed == steps.end(), result.marginal_error,
                                            inner.tolerance, context) &&
                     !has_wide_gap;
  if (*result.converged) return;
  const bool is_early = missed != steps.end() && missed + 1 != steps.end();
  result.advice.push_back(
      is_early ? concat("not converged: step ", missed - steps.begin() + 1, " of ", steps.size(),
                        " did not reach its tolerance in solver.sinkhorn.max_iterations ",
                        inner.max_iterations,
                        "; in a new --out, raise it, problem.epsilon or "
                        "solver.progot.first_tolerance")
               : sinkhorn::advice_of({.marginal_error = result.marginal_error,
                                      .iterations = result.iterations,
                                      .has_wide_gap = has_wide_gap,
                                      .lower = last.dual_value,
                                      .upper = last.objective},
                                     inner, context.run.precision));
}

template <class T>
Result solve_in(const ProgotConfig& config, const sinkhorn::SinkhornConfig& inner,
                const Problem& problem, Context& context) {
  const Pair pair = pair_of(problem);
  const double start = monotonic_seconds();
  Solves<T> solves(config, inner, pair, problem.rule, context);
  const Solved& solved = solves.run();
  const double solve_end = monotonic_seconds();
  Result result;
  context.log.info("evaluating the plan, in double");
  const PlanValue last = evaluate(
      pair, solved, [&](const ShardedPairs<double>& given) { solves.save_solved(given); }, result,
      context);
  const std::vector<bool> steps = describe_steps(solved.course, last, inner.tolerance, result);
  judge(steps, last, solved.course.steps.back().epsilon, inner, result, context);
  const Timing& timing = solved.timing;
  result.own.set(
      "storage",
      storage_report(solved.plans,
                     timing.num_iterations > 0 ? timing.iterations_s / timing.num_iterations : 0,
                     timing.store_s, timing.refreshes, context),
      "how costs were stored: what was predicted, and what came");
  const Model model = model_of(pair, solved.course);
  result.tensors = model.tensors();
  result.model = model.description();
  result.seconds.solve = solve_end - start;
  result.seconds.certificate = monotonic_seconds() - solve_end;
  return result;
}

}  // namespace

std::vector<Line> lines_of(const Record& result) {
  std::vector<Line> lines = plan_lines(result);
  const auto each = result.find_as<std::vector<std::int64_t>>("iterations_per_step");
  if (!each) return lines;
  std::string counts;
  for (const std::int64_t count : *each) counts += concat(counts.empty() ? "" : " + ", count);
  lines.push_back({"solves", concat(each->size(), ": ", counts, " iterations")});
  return lines;
}

Result solve(const ProgotConfig& config, const sinkhorn::SinkhornConfig& solves,
             const Problem& problem, Context& context) {
  return in_precision(context,
                      [&]<class T>() { return solve_in<T>(config, solves, problem, context); });
}

}  // namespace kantor::progot
