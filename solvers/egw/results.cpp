#include "solvers/egw/results.hpp"

#include <algorithm>
#include <utility>

#include "runtime/core/index.hpp"
#include "solvers/eot/evaluation_progress.hpp"
#include "solvers/eot/gauge.hpp"
#include "solvers/stored_run.hpp"

namespace kantor::egw {

Evaluated evaluate(const Spaces& spaces, const Solved& solved, double epsilon, std::int64_t step,
                   const std::function<void()>& save, Context& context) {
  const Pair pair = spaces.lifted(solved.at.alignment, epsilon);
  ShardedPairs<double> points(pair, {}, Storage::streamed, context);
  EvaluationProgress evaluation(num_value_passes(points.m()), step, save, context);
  points.pause_in(&evaluation);
  const Shard& rows = points.rows();
  Evaluated evaluated;
  evaluated.plan =
      plan_value(points, std::span(solved.f).subspan(index(rows.first), index(rows.count())),
                 solved.g, context);
  evaluation.finish();
  const PlanValue& plan = evaluated.plan;
  evaluated.objective = spaces.value(solved.at.alignment, plan.objective);
  evaluated.dual_value = spaces.value(solved.at.alignment, plan.dual_value);
  evaluated.diagnostics = plan_diagnostics(pair, points, plan.kl, plan.exact_f, solved.g);
  return evaluated;
}

void put_value(const Spaces& spaces, const Evaluated& value, double epsilon, Result& result) {
  result.objective = value.objective;
  result.kl = value.plan.kl;
  result.transport_cost = value.objective - epsilon * value.plan.kl;
  result.marginal_error = value.plan.marginal_error;
  Pair pair = spaces.lifted(std::vector<double>(spaces.size_of_alignment(), 0.0), epsilon);
  value.diagnostics.put_into(result, pair);
}

void put_alignment(const Spaces& spaces, const Trials& trials, const EgwConfig& config,
                   std::span<const double> alignment, Result& result) {
  if (!spaces.has_alignment()) return;
  result.own.set("alignment_norm", norm_of(alignment), "|A|");
  result.own.set("starts", starts_record(spaces, trials, config), "what each first A came to");
}

Record starts_record(const Spaces& spaces, const Trials& trials, const EgwConfig& config) {
  Record starts;
  const std::vector<std::int64_t> best(trials.best.begin(), trials.best.end());
  const auto [least, most] =
      std::minmax_element(trials.objectives.begin(), trials.objectives.end());
  starts.set("points", std::min(config.start_points, std::max(spaces.n(0), spaces.n(1))),
             "per marginal at most, of the subsample that they were tried on");
  starts.set("best", best, "those that went on at all points, the best first; start 0 is A = 0");
  starts.set("spread", *most - *least, "between the values of the best and the worst");
  starts.set("objectives", trials.objectives, "of each, on the subsample");
  starts.set("alignment_norms", trials.norms, "|A| of each");
  return starts;
}

void add_potentials(const Spaces& spaces, const std::vector<double>& alignment,
                    std::vector<double> f, std::vector<double> g, Result& result,
                    Context& context) {
  const Shard rows = shard_of(spaces.n(0), context.world.rank(), context.world.size());
  const std::vector<double> of_x =
      gather_rows(spaces.terms_alone(0, rows.first, rows.count(), alignment), spaces.n(0),
                  context.world, "terms of x alone");
  if (context.world.rank() != 0) return;
  const std::vector<double> of_y = spaces.terms_alone(1, 0, spaces.n(1), alignment);
  for (std::size_t i = 0; i < f.size(); ++i) f[i] += of_x[i];
  for (std::size_t j = 0; j < g.size(); ++j) g[j] += of_y[j];
  fix_gauge(spaces.space(0).cloud.marginal.weights(), f, g);
  result.add_potentials(run_files::kPotentials, {std::move(f), std::move(g)});
  if (!spaces.has_alignment()) return;
  result.arrays.push_back({run_files::kAlignment, {spaces.d(0), spaces.d(1)}, alignment});
}

double distance(std::span<const double> a, std::span<const double> b) {
  std::vector<double> difference(a.begin(), a.end());
  for (std::size_t i = 0; i < difference.size(); ++i) difference[i] -= b[i];
  return norm_of(difference);
}

}  // namespace kantor::egw
