#include "solvers/sinkhorn/symmetric.hpp"

#include <cmath>

#include "runtime/core/error.hpp"
#include "runtime/metrics/progress.hpp"

namespace kantor::sinkhorn {

namespace {

/// One pass over the pairs, reduced over the ranks.
struct SymmetricPass {
  double error = 0;
  double stop = 0;
  double save = 0;
};

/// @param[out] part [N_r] the next f.
template <class T>
SymmetricPass sweep(const ShardedPairs<T>& problem, std::span<const double> f, bool save,
                    std::vector<double>& part, Context& context) {
  const std::span<const double> a = problem.a();
  const auto first = static_cast<std::size_t>(problem.rows().first);
  problem.transform_to_x(f, part);
  SymmetricPass pass{0, context.stop_requested() ? 1.0 : 0.0, save ? 1.0 : 0.0};
  for (std::size_t i = 0; i < part.size(); ++i) {
    const double error = std::abs(std::expm1((f[first + i] - part[i]) / problem.epsilon()));
    if (a[i] > 0) pass.error += a[i] * error;
    part[i] = (f[first + i] + part[i]) / 2;
  }
  double sums[] = {pass.error, pass.stop, pass.save};
  context.world.all_reduce<double>(sums, ReduceOp::sum, "error of a cloud to itself");
  return {sums[0], sums[1], sums[2]};
}

checkpoint::Snapshot snapshot_of(const std::vector<double>& f, std::int64_t iterations) {
  checkpoint::Snapshot state;
  state.metadata.step = iterations;
  state.tensors.push_back(
      checkpoint::make_tensor("symmetric.f", {std::ssize(f)}, std::span<const double>(f)));
  return state;
}

}  // namespace

template <class T>
Report iterate_symmetric(const ShardedPairs<T>& problem, const Stopping& stopping,
                         std::vector<double>& f, Context& context, const char* label,
                         Checkpoints* keep) {
  metrics::Progress progress(
      {.enabled = context.show_progress, .label = label, .total = stopping.known_iterations()});
  std::vector<double> part(problem.a().size());  // softmin f, then the next f
  Report report;
  if (keep != nullptr && keep->restored() != nullptr) {
    collectively(context.world, "restoring the potential", [&] {
      const std::int64_t shape[] = {problem.n()};
      f = keep->restored()->values<double>("symmetric.f", shape);
      report.iterations = keep->restored()->metadata.step;
    });
  } else if (keep != nullptr) {
    keep->save(snapshot_of(f, 0));
  }
  for (;;) {
    context.world.at_step(report.iterations + 1);
    const bool is_due = keep != nullptr && keep->due(report.iterations);
    const SymmetricPass pass = sweep(problem, f, is_due, part, context);
    report.marginal_error = pass.error;
    if (report.iterations == 0) report.first_error = report.marginal_error;
    if (std::isnan(report.marginal_error)) {
      fail_on_all_ranks(context.world,
                        NumericError(concat(label, " met NaN after ", report.iterations,
                                            " iterations; raise epsilon or use "
                                            "run.precision = \"float64\"")));
    }
    report.converged = stopping.tolerance > 0 && report.marginal_error <= stopping.tolerance;
    progress.update(report.iterations, "marginal error", report.marginal_error);
    context.metrics.write(label, report.iterations, {{"marginal_error", report.marginal_error}});
    if (report.converged || report.iterations >= stopping.max_iterations) break;
    if (keep != nullptr && pass.stop + pass.save > 0) {
      keep->save(snapshot_of(f, report.iterations));
    }
    if (pass.stop > 0) throw Stopped(report.iterations);
    f = problem.gather_x(part);
    ++report.iterations;
  }
  context.world.at_step(0);
  progress.finish();
  return report;
}

template Report iterate_symmetric(const ShardedPairs<float>&, const Stopping&, std::vector<double>&,
                                  Context&, const char*, Checkpoints*);
template Report iterate_symmetric(const ShardedPairs<double>&, const Stopping&,
                                  std::vector<double>&, Context&, const char*, Checkpoints*);

}  // namespace kantor::sinkhorn
