#include "solvers/sinkhorn/symmetric.hpp"

#include <cmath>

#include "distributed/collectively.hpp"
#include "runtime/metrics/progress.hpp"
#include "solvers/sinkhorn/error_watch.hpp"

namespace kantor::sinkhorn {

namespace {

/// One pass over the pairs, reduced over the ranks.
struct SymmetricSweep {
  double error = 0;
  double stop = 0;
  double save = 0;
};

/// @param[out] part [N_r] the next f.
template <class T>
SymmetricSweep sweep(const ShardedPairs<T>& problem, std::span<const double> f, bool save,
                     std::vector<double>& part, Context& context) {
  const std::span<const double> a = problem.a();
  const auto first = static_cast<std::size_t>(problem.rows().first);
  problem.transform_to_x(f, part);
  SymmetricSweep swept{0, context.stop_requested() ? 1.0 : 0.0, save ? 1.0 : 0.0};
  for (std::size_t i = 0; i < part.size(); ++i) {
    const double error = std::abs(std::expm1((f[first + i] - part[i]) / problem.epsilon()));
    if (a[i] > 0) swept.error += a[i] * error;
    part[i] = (f[first + i] + part[i]) / 2;
  }
  double sums[] = {swept.error, swept.stop, swept.save};
  context.world.all_reduce<double>(sums, ReduceOp::sum, "error of a cloud to itself");
  return {sums[0], sums[1], sums[2]};
}

/// Between iterations.
struct Cloud {
  std::vector<double>& f;
  void describe(const StateFields& fields) { fields.add("symmetric.f", f); }
};

}  // namespace

template <class T>
Report iterate_symmetric(const ShardedPairs<T>& problem, const Stopping& stopping,
                         std::vector<double>& f, Context& context, const char* label,
                         CheckpointScope& scope) {
  metrics::Progress progress(
      {.enabled = context.show_progress, .label = label, .total = stopping.known_iterations()});
  std::vector<double> part(problem.a().size());  // softmin f, then the next f
  Report report;
  Cloud cloud{f};
  if (scope.is_under_way(cloud)) {
    collectively(context.world, "restoring the potential",
                 [&] { report.iterations = scope.restore(cloud); });
  } else {
    scope.save(0, cloud);
  }
  for (;;) {
    context.world.at_step(report.iterations + 1);
    const SymmetricSweep swept = sweep(problem, f, scope.due(report.iterations), part, context);
    report.marginal_error = swept.error;
    if (report.iterations == 0) report.first_error = report.marginal_error;
    check_is_number(report.marginal_error, report.iterations, label, context.world);
    report.converged = stopping.tolerance > 0 && report.marginal_error <= stopping.tolerance;
    progress.update(report.iterations, "marginal error", report.marginal_error);
    context.metrics.write(label, report.iterations, {{"marginal_error", report.marginal_error}});
    if (report.converged || report.iterations >= stopping.max_iterations) break;
    if (swept.stop + swept.save > 0) scope.save(report.iterations, cloud);
    if (swept.stop > 0) throw Stopped(scope.step_of_run(report.iterations));
    f = problem.gather_x(part);
    ++report.iterations;
  }
  context.world.at_step(0);
  progress.finish();
  return report;
}

template Report iterate_symmetric(const ShardedPairs<float>&, const Stopping&, std::vector<double>&,
                                  Context&, const char*, CheckpointScope&);
template Report iterate_symmetric(const ShardedPairs<double>&, const Stopping&,
                                  std::vector<double>&, Context&, const char*, CheckpointScope&);

}  // namespace kantor::sinkhorn
