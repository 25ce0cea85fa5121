#include "solvers/sinkhorn/iteration.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "distributed/collectively.hpp"
#include "distributed/larger.hpp"
#include "runtime/core/process.hpp"
#include "runtime/metrics/progress.hpp"
#include "solvers/sinkhorn/error_watch.hpp"
#include "solvers/sinkhorn/iteration_clock.hpp"
#include "solvers/sinkhorn/sweep.hpp"

namespace kantor::sinkhorn {

namespace {

/// Points of zero weight do not steer the iteration; they get their potential at the end.
template <class T>
void complete_zero_weights(const ShardedPairs<T>& problem, std::span<const double> f,
                           std::vector<double>& g) {
  const std::span<const double> b = problem.b();
  if (std::find(b.begin(), b.end(), 0.0) == b.end()) return;
  std::vector<double> transformed(g.size());
  problem.transform_to_y(f, transformed);
  for (std::size_t j = 0; j < g.size(); ++j) {
    if (b[j] == 0) g[j] = damping(problem.penalty().y, problem.epsilon()) * transformed[j];
  }
}

/// What an iteration leaves to the next.
template <class T>
struct Iterate {
  Iterate(const ShardedPairs<T>& problem_, const Stopping& stopping_, std::vector<double>& f_,
          std::vector<double>& g_, Context& context)
      : problem(problem_),
        stopping(stopping_),
        f(f_),
        g(g_),
        momentum(stopping.momentum, stopping.tolerance),
        sweep(sweep_of(problem, context)) {
    const bool is_given = !f.empty() || problem.a().empty();
    has_f = context.world.agree(is_given ? 0 : 1, "warm start") == 0;
    if (!has_f) f.clear();
    is_judged = !has_f;
    // Without f, momentum starts from f = 0 if g is 0 too; else from the first plain update.
    const bool is_zero = std::all_of(g.begin(), g.end(), [](double value) { return value == 0; });
    step = {epsilon(), has_f || is_zero ? momentum.weight() : 1};
  }

  /// One pass over the pairs, one all-reduce: the next f, column sums, and the error of (f, g).
  Swept swept(bool save) {
    const std::span<const double> known_f = has_f ? f : std::span<const double>();
    Swept swept = clock.timed([&] { return sweep->run(step, known_f, g, save); });
    clock.leave_out(swept.refresh_s);
    report.refreshes += swept.is_refreshed ? 1 : 0;
    report.refresh_s += swept.refresh_s;
    return swept;
  }

  /// @return whether (f, g) is the last pair.
  bool judge(const Swept& swept) {
    const double error = larger(swept.row_error + column_error, swept.column_error);
    report.marginal_error = error;
    if (report.iterations == 0) report.first_error = error;
    report.converged = stopping.tolerance > 0 && error <= stopping.tolerance &&
                       stopping.is_at_epsilon(report.iterations);
    return report.converged || report.iterations >= stopping.max_iterations;
  }

  /// The next g, and where the next sweep works.
  void update(Swept& swept) {
    const ColumnUpdate update = clock.timed([&] { return update_g(problem, step, swept, g); });
    f = std::move(swept.f);
    has_f = true;
    is_judged = false;
    column_error = update.error;
    report.fallbacks += update.fell_back ? 1 : 0;
    ++report.iterations;
    report.seconds_per_iteration = clock.mean_with_this();
    sweep->updated(report.iterations);
    step = {epsilon(), momentum.weight()};
  }

  /// What is returned is measured at the epsilon of the problem, however few iterations there were.
  double epsilon() const {
    const bool is_last = report.iterations >= stopping.max_iterations;
    return (is_last ? 1 : stopping.decay.multiple(report.iterations)) * problem.epsilon();
  }

  /// After a sweep: of a pair that is judged, g, from which the next f follows, to the bit; with
  /// momentum, or of a pair that is to be swept again, both. Collective, saving.
  void describe(const StateFields& fields) {
    const bool is_plain = stopping.momentum.is_plain();
    const bool is_to_look = fields.has_number("sinkhorn.column_error", !is_judged);
    fields.add("sinkhorn.fallbacks", report.fallbacks);
    fields.add("sinkhorn.g", g);
    if (is_to_look) fields.add("sinkhorn.column_error", column_error);
    sweep->describe(fields, is_to_look);
    if (fields.is_restoring()) has_f = is_to_look;
    if (!is_plain) {
      fields.add("sinkhorn.has_f", has_f);
      fields.add("sinkhorn.weight", step.weight);  // of the sweep that is made again
    }
    if (!is_plain || is_to_look) describe_f(fields);
    if (!is_plain) momentum.describe(fields);
    if (fields.is_restoring()) is_judged = !is_to_look;
  }

  void describe_f(const StateFields& fields) {
    std::vector<double> all_f(static_cast<std::size_t>(problem.n()));
    if (fields.is_saving()) all_f = problem.gather_x(f);
    fields.add("sinkhorn.f", all_f);
    if (!fields.is_restoring() || !has_f) return;
    f.assign(all_f.begin() + problem.rows().first, all_f.begin() + problem.rows().last);
  }

  const ShardedPairs<T>& problem;
  const Stopping& stopping;
  std::vector<double>& f;
  std::vector<double>& g;
  MomentumControl momentum;
  std::unique_ptr<Sweep<T>> sweep;
  bool has_f = false;
  bool is_judged = false;   ///< what the error of (f, g) says is done already
  double column_error = 0;  ///< of (f, g)
  Step step;                ///< of the next sweep
  IterationClock clock;
  Report report;
};

}  // namespace

double EpsilonDecay::multiple(std::int64_t iteration) const {
  if (start <= 1 || iteration < 0) return 1;
  return std::max(start * std::pow(factor, static_cast<double>(iteration)), 1.0);
}

bool is_under_way(const CheckpointScope& scope) {
  struct {
    std::vector<double> g;
    void describe(const StateFields& fields) { fields.add("sinkhorn.g", g); }
  } state;
  return scope.is_under_way(state);
}

template <class T>
Report iterate(const ShardedPairs<T>& problem, const Stopping& stopping, std::vector<double>& f,
               std::vector<double>& g, Context& context, const char* label,
               CheckpointScope& scope) {
  const double start = monotonic_seconds();
  metrics::Progress progress(
      {.enabled = context.show_progress, .label = label, .total = stopping.known_iterations()});
  Iterate<T> at(problem, stopping, f, g, context);
  Report& report = at.report;
  const bool has_exact_columns = problem.penalty().is_balanced() && stopping.momentum.is_plain();
  ErrorWatch watch(stopping, has_exact_columns, label, context);
  if (is_under_way(scope)) {
    collectively(context.world, "restoring the potentials", [&] {
      report.iterations = scope.restore(at);
      at.step.epsilon = at.epsilon();
    });
  } else {
    scope.save(0, at);
  }

  for (;;) {
    context.world.at_step(report.iterations + 1);
    Swept swept = at.swept(scope.due(report.iterations));  // the next f, columns, error of (f, g)
    if (!at.is_judged) {
      const bool is_last = at.judge(swept);
      const double error = report.marginal_error;
      check_is_number(error, report.iterations, label, context.world);
      if (at.sweep->looks_again(error, g, is_last)) {  // at the same pair, from the costs
        if (!swept.stop) continue;
        scope.save(report.iterations, at);
        throw Stopped(scope.step_of_run(report.iterations));
      }
      progress.update(report.iterations, "marginal error", error);
      context.metrics.write(label, report.iterations,
                            {{"marginal_error", error}, {"seconds", monotonic_seconds() - start}});
      if (is_last) break;
      if (stopping.is_at_epsilon(report.iterations)) watch.observe(error, at.momentum, report);
      at.is_judged = true;
      if (swept.stop || swept.save) scope.save(report.iterations, at);
      if (swept.stop) throw Stopped(scope.step_of_run(report.iterations));
    }
    at.update(swept);  // the next g, from the column sums
  }
  context.world.at_step(0);
  complete_zero_weights(problem, f, g);
  progress.finish();
  return report;
}

template Report iterate(const ShardedPairs<float>&, const Stopping&, std::vector<double>&,
                        std::vector<double>&, Context&, const char*, CheckpointScope&);
template Report iterate(const ShardedPairs<double>&, const Stopping&, std::vector<double>&,
                        std::vector<double>&, Context&, const char*, CheckpointScope&);

}  // namespace kantor::sinkhorn
