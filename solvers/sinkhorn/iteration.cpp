#include "solvers/sinkhorn/iteration.hpp"

#include <algorithm>
#include <cmath>

#include "runtime/core/error.hpp"
#include "runtime/metrics/progress.hpp"

namespace kantor::sinkhorn {

namespace {

constexpr double kSmallestColumn = 1e-30;  // below it, exponentials that underflowed would matter

/// What one pass over the pairs gives, reduced over the ranks.
struct Pass {
  bool stop = false;            ///< some rank was asked to stop
  std::vector<double> f;        ///< [N_r] c-transform of g
  std::vector<double> columns;  ///< [M] column sums of the plan of (f, g), whose rows are exact
  double previous_error = 0;    ///< L1 error of the rows of the plan of (previous f, g)
};

template <class T>
Pass sweep(const ShardedEot<T>& problem, std::span<const double> previous_f,
           std::span<const double> g, Context& context) {
  const std::span<const double> a = problem.a();
  Pass pass;
  pass.f.resize(a.size());
  pass.columns.assign(g.size() + 2, 0.0);  // error and stop flag ride behind the column sums
  if (!a.empty()) {
    kernels::soft_min_weights<T>(problem.over_y(g), a, context.pool, pass.f,
                                 std::span(pass.columns).first(g.size()));
  }
  double& error = pass.columns[g.size()];
  for (std::size_t i = 0; i < previous_f.size(); ++i) {
    if (a[i] > 0)
      error += a[i] * std::abs(std::expm1((previous_f[i] - pass.f[i]) / problem.epsilon()));
  }
  pass.columns.back() = context.stop_requested() ? 1 : 0;
  context.world.all_reduce<double>(pass.columns, ReduceOp::sum, "column sums");
  pass.previous_error = pass.columns[g.size()];
  pass.stop = pass.columns.back() > 0;
  pass.columns.resize(g.size());
  return pass;
}

/// g_j += eps log(b_j / column_j); the max-stabilised transform where a column has all but
/// vanished.
/// @return whether that was needed.
template <class T>
bool update_g(const ShardedEot<T>& problem, const Pass& pass, std::vector<double>& g) {
  const std::span<const double> b = problem.b();
  for (std::size_t j = 0; j < g.size(); ++j) {
    if (b[j] > 0 && !(pass.columns[j] >= kSmallestColumn && std::isfinite(pass.columns[j]))) {
      problem.transform_to_y(pass.f, g);
      return true;
    }
  }
  for (std::size_t j = 0; j < g.size(); ++j) {
    if (b[j] > 0) g[j] += problem.epsilon() * std::log(b[j] / pass.columns[j]);
  }
  return false;
}

/// Points of zero weight do not steer the iteration; they get their potential at the end.
template <class T>
void complete_zero_weights(const ShardedEot<T>& problem, std::span<const double> f,
                           std::vector<double>& g) {
  const std::span<const double> b = problem.b();
  if (std::find(b.begin(), b.end(), 0.0) == b.end()) return;
  std::vector<double> transformed(g.size());
  problem.transform_to_y(f, transformed);
  for (std::size_t j = 0; j < g.size(); ++j) {
    if (b[j] == 0) g[j] = transformed[j];
  }
}

/// g after an iteration whose error has been measured: the next f follows from it, to the bit.
checkpoint::Snapshot snapshot(const Report& report, std::span<const double> g) {
  checkpoint::Snapshot state;
  state.metadata.step = report.iterations;
  state.metadata.integers["sinkhorn.fallbacks"] = report.fallbacks;
  state.tensors.push_back(checkpoint::make_tensor("sinkhorn.g", {std::ssize(g)}, g));
  return state;
}

void restore(const checkpoint::Snapshot& state, Report& report, std::vector<double>& g) {
  const std::int64_t shape[] = {std::ssize(g)};
  g = state.values<double>("sinkhorn.g", shape);
  report.iterations = state.metadata.step;
  report.fallbacks = state.metadata.integer("sinkhorn.fallbacks");
}

}  // namespace

template <class T>
Report iterate(const ShardedEot<T>& problem, const Stopping& stopping, std::vector<double>& f,
               std::vector<double>& g, Context& context, const char* label, Checkpoints* keep) {
  metrics::Progress progress(
      {.enabled = context.show_progress, .label = label, .total = stopping.max_iterations});
  Report report;
  bool is_measured = !f.empty() || problem.a().empty();
  is_measured = context.world.agree(is_measured ? 0 : 1, "warm start") == 0;
  if (!is_measured) f.clear();
  if (keep != nullptr && keep->restored() != nullptr) {
    together(context.world, "restoring the potentials",
             [&] { restore(*keep->restored(), report, g); });
  } else if (keep != nullptr) {
    keep->save(snapshot(report, g));
  }

  for (;;) {
    context.world.at_step(report.iterations + 1);
    Pass pass = sweep(problem, f, g, context);
    if (is_measured) {
      report.marginal_error = pass.previous_error;
      if (report.iterations == 0) report.first_error = pass.previous_error;
      if (std::isnan(pass.previous_error)) {
        fail_alike(context.world, NumericError(concat(label, " met NaN after ", report.iterations,
                                                      " iterations; raise problem.epsilon or use "
                                                      "run.precision = \"float64\"")));
      }
      report.converged = stopping.tolerance > 0 && report.marginal_error <= stopping.tolerance;
      progress.update(report.iterations, "marginal error", report.marginal_error);
      context.metrics.write(label, report.iterations, {{"marginal_error", report.marginal_error}});
      if (report.converged || report.iterations >= stopping.max_iterations) break;
      if (keep != nullptr && (pass.stop || keep->due(report.iterations))) {
        keep->save(snapshot(report, g));
      }
      if (pass.stop) throw Stopped(report.iterations);
    }
    report.fallbacks += update_g(problem, pass, g) ? 1 : 0;
    f = std::move(pass.f);
    is_measured = true;
    ++report.iterations;
  }
  context.world.at_step(0);
  complete_zero_weights(problem, f, g);
  progress.finish();
  return report;
}

template Report iterate(const ShardedEot<float>&, const Stopping&, std::vector<double>&,
                        std::vector<double>&, Context&, const char*, Checkpoints*);
template Report iterate(const ShardedEot<double>&, const Stopping&, std::vector<double>&,
                        std::vector<double>&, Context&, const char*, Checkpoints*);

}  // namespace kantor::sinkhorn
