#include "solvers/sinkhorn/divergence.hpp"

#include <cmath>
#include <limits>
#include <utility>

#include "runtime/core/text.hpp"
#include "solvers/eot/evaluation_progress.hpp"
#include "solvers/sinkhorn/symmetric.hpp"

namespace kantor::sinkhorn {

namespace {

template <class T>
Solution solve_in(const Pair& self, const Stopping& stopping, const StoragePlan& plan,
                  Context& context, const char* label, CheckpointScope& scope) {
  ShardedPairs<T> points(self, {}, plan, context);
  points.store_costs();
  Solution solution{.f = std::vector<double>(static_cast<std::size_t>(self.n(0)))};
  solution.report = iterate_symmetric(points, stopping, solution.f, context, label, scope);
  return solution;
}

}  // namespace

SelfTransport solve_self(const Pair& pair, std::size_t marginal, const Stopping& stopping,
                         const StoragePlan& plan, CheckpointScope& run, std::int64_t first_step,
                         Context& context) {
  const Pair self = self_pair(pair, marginal);
  const char* label = marginal == 0 ? "sinkhorn xx" : "sinkhorn yy";
  const std::string name = concat("stage.", label);
  Solution solution = solve_once(run, name, self.n(0), 0, context.world, [&] {
    CheckpointScope scope(run, name, first_step);
    return in_precision(context, [&]<class T>() {
      return solve_in<T>(self, stopping, plan, context, label, scope);
    });
  });
  SelfTransport solved{.report = solution.report, .value = {}, .potential = std::move(solution.f)};
  const std::int64_t step = first_step + solved.report.iterations;
  ShardedPairs<double> points(self, {}, Storage::streamed, context);
  EvaluationProgress evaluation(
      num_value_passes(points.m()), step, [&] { run.save_found(step); }, context);
  points.pause_in(&evaluation);
  const std::span<const double> own =
      std::span<const double>(solved.potential)
          .subspan(static_cast<std::size_t>(points.rows().first), points.a().size());
  solved.value = plan_value(points, own, solved.potential, context);
  evaluation.finish();
  return solved;
}

Divergence divergence_of(const PlanValue& xy, const SelfTransport& xx, const SelfTransport& yy) {
  Divergence divergence;
  divergence.xx = xx.value.dual_value;
  divergence.yy = yy.value.dual_value;
  divergence.value = xy.dual_value - (divergence.xx + divergence.yy) / 2;
  // Each bound is moved by what rounding alone may put it off by, in its three terms and in their
  // difference: where all gaps are closed, the two would cross.
  const double size =
      std::abs(xy.objective) + (std::abs(divergence.xx) + std::abs(divergence.yy)) / 2;
  const double rounding = 4 * std::numeric_limits<double>::epsilon() * size;
  divergence.lower = xy.dual_value - (xx.value.objective + yy.value.objective) / 2 - rounding;
  divergence.upper = xy.objective - (divergence.xx + divergence.yy) / 2 + rounding;
  divergence.iterations = {xx.report.iterations, yy.report.iterations};
  return divergence;
}

Record Divergence::record() const {
  Record record;
  record.set("value", value, "of the dual values");
  record.set("lower", lower, "lower <= the divergence <= upper");
  record.set("upper", upper);
  record.set("xx", xx, "OT(mu, mu), dual value");
  record.set("yy", yy);
  record.set("iterations", iterations, "of xx and yy");
  return record;
}

}  // namespace kantor::sinkhorn
