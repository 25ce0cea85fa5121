#include "solvers/sinkhorn/certificate.hpp"

#include "solvers/eot/evaluation_progress.hpp"
#include "solvers/eot/gauge.hpp"

namespace kantor::sinkhorn {

namespace {

/// By the shape alone, as long as there is memory: a run that goes on has the same bits. On a GPU
/// it has them in any form.
StoragePlan plan_of(const SolveShape& shape, Context& context) {
  constexpr double kMostStoredBytes = 4e9;
  const bool is_large =
      context.pair_reducer == nullptr &&
      estimate_storage(shape, instruction_set()).materialised.stored_bytes > kMostStoredBytes;
  return plan_storage(shape, is_large ? Storage::streamed : Storage::automatic, {}, context);
}

template <class T>
Report solve(const Pair& pair, const Subset& subset, const Stopping& stopping,
             std::vector<double>& f, std::vector<double>& g, Context& context) {
  const SolveShape shape = solve_shape(pair, subset, sizeof(T) == 8, context);
  ShardedPairs<T> points(pair, subset, plan_of(shape, context), context);
  points.store_costs();
  return iterate(points, stopping, f, g, context, "certificate");
}

}  // namespace

Certificate certificate_of(const Pair& pair, const Subset& subset, ShardedPairs<double>& points,
                           const Stopping& stopping, std::vector<double> f, std::vector<double> g,
                           std::int64_t step, Context& context) {
  Certificate certificate;
  certificate.report = in_precision(
      context, [&]<class T>() { return solve<T>(pair, subset, stopping, f, g, context); });
  EvaluationProgress evaluation(num_value_passes(points.m()), step, {}, context);
  points.pause_in(&evaluation);
  certificate.value = plan_value(points, f, g, context);
  points.pause_in(nullptr);
  evaluation.finish();
  certificate.f = points.gather_x(f);
  certificate.g = std::move(g);
  fix_gauge(points.gather_x(points.a()), certificate.f, certificate.g);
  return certificate;
}

}  // namespace kantor::sinkhorn
