#include "solvers/egw/sinkhorn_egw.hpp"

#include <malloc.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "runtime/core/error.hpp"
#include "runtime/core/index.hpp"
#include "runtime/core/process.hpp"
#include "runtime/core/text.hpp"
#include "solvers/egw/results.hpp"
#include "solvers/eot/storage/report.hpp"
#include "solvers/sinkhorn/sinkhorn.hpp"

// Shapes: N points x (N_r on this rank) of DX coordinates, M points y of DY; A [DX, DY].

namespace kantor::egw {

namespace {

/// The solutions from all starts that went on, and the best of them.
struct Best {
  Solutions all;
  Solved solved;
  Evaluated value;
};

Best solve_and_evaluate(const Spaces& spaces, const EgwConfig& config,
                        const sinkhorn::SinkhornConfig& inner, double epsilon,
                        CheckpointScope& scope, Context& context) {
  Solutions all = solve_from_starts(spaces, config, inner, epsilon, scope, context);
  malloc_trim(0);  // points in double take the place of those that were solved with
  std::vector<Evaluated> values;
  for (const Solved& each : all.solved) {
    values.push_back(evaluate(
        spaces, each, epsilon, scope.step_of_run(all.iterations),
        [&] { scope.save_found(all.iterations); }, context));
  }
  const auto best = std::min_element(
      values.begin(), values.end(),
      [](const Evaluated& a, const Evaluated& b) { return a.objective < b.objective; });
  Solved solved = all.solved[index(best - values.begin())];
  return {std::move(all), std::move(solved), std::move(*best)};
}

void describe(const Best& best, const Spaces& spaces, const EgwConfig& config, Result& result) {
  result.own.set("dual_value_at_alignment", best.value.dual_value,
                 "lower bound of the value at this A, not of the problem");
  put_alignment(spaces, best.all.trials, config, best.solved.at.alignment, result);
  if (!spaces.has_alignment()) return;
  result.own.set("alignment_steps", best.solved.at.step, "updates of A");
  result.own.set("stationarity", distance(best.solved.at.alignment, best.solved.half_moment),
                 "|A - E[x y^T] / 2|, 0 where A and the plan are the best for each other");
}

bool has_converged(const Best& best, const sinkhorn::SinkhornConfig& inner, double epsilon,
                   Context& context) {
  const PlanValue& plan = best.value.plan;
  return is_confirmed_in_double(best.solved.has_converged, plan.marginal_error, inner.tolerance,
                                context) &&
         plan.is_tight(inner.tolerance, epsilon);
}

/// @param whose of which marginals, in a message.
void judge(const Best& best, const EgwConfig& config, const sinkhorn::SinkhornConfig& inner,
           double epsilon, const std::string& whose, Result& result, Context& context) {
  if (has_converged(best, inner, epsilon, context)) return;
  result.converged = false;
  const Iterate& at = best.solved.at;
  const bool has_moved = best.solved.at.change > config.tolerance;
  result.advice.push_back(concat(
      "not converged", whose, ": ",
      has_moved
          ? concat("after ", at.step, " steps A still changes by ", format_number(at.change),
                   "; raise solver.egw.max_steps or problem.epsilon")
          : concat("at the A found, the marginals miss ",
                   format_number(best.value.plan.marginal_error[0]), " and the value is within ",
                   format_number(best.value.objective - best.value.dual_value),
                   "; raise solver.sinkhorn.max_iterations, lower its tolerance, or raise "
                   "problem.epsilon")));
}

/// Minus half of each marginal's own value.
void debias(const Spaces& spaces, const EgwConfig& config, const sinkhorn::SinkhornConfig& inner,
            double epsilon, CheckpointScope& run, Context& context, Result& result) {
  Record debiased;
  double value = *result.objective;
  const std::int64_t first = result.iterations;
  CheckpointScope of_x(run, "xx", first);
  std::optional<CheckpointScope> of_y;  // within the first, which keeps what it has found
  for (std::size_t k = 0; k < 2; ++k) {
    const Spaces own = spaces.self(k);
    if (k == 1) of_y.emplace(of_x, "yy", result.iterations - first);
    const Best self =
        solve_and_evaluate(own, config, inner, epsilon, k == 0 ? of_x : *of_y, context);
    result.iterations += self.all.iterations;
    value -= self.value.objective / 2;
    judge(self, config, inner, epsilon, k == 0 ? " (x with itself)" : " (y with itself)", result,
          context);
    Record record;
    record.set("objective", self.value.objective);
    record.set("alignment_norm", norm_of(self.solved.at.alignment));
    record.set("starts", starts_record(own, self.all.trials, config));
    debiased.set(k == 0 ? "xx" : "yy", std::move(record));
  }
  debiased.set("value", value, "objective minus half of those of xx and yy");
  result.own.set("debiased", std::move(debiased), "0 between equals");
}

}  // namespace

Result solve(const EgwConfig& config, const sinkhorn::SinkhornConfig& inner, const Problem& problem,
             Context& context) {
  const double start = monotonic_seconds();
  const double epsilon = problem.epsilon;
  const Spaces spaces(problem);
  check_number_range(spaces, epsilon, context);
  CheckpointScope run(context.checkpoints);
  CheckpointScope scope(run, "egw", 0);
  const Best best = solve_and_evaluate(spaces, config, inner, epsilon, scope, context);
  Result result;
  result.iterations = best.all.iterations;
  describe(best, spaces, config, result);
  put_value(spaces, best.value, epsilon, result);
  result.converged = true;
  judge(best, config, inner, epsilon, "", result, context);
  add_potentials(spaces, best.solved.at.alignment, best.solved.f, best.solved.g, result, context);
  if (config.debiased) debias(spaces, config, inner, epsilon, scope, context, result);
  result.seconds.solve = monotonic_seconds() - start;
  return result;
}

std::vector<Line> lines_of(const Record& result) {
  std::vector<Line> lines = plan_lines(result);
  const auto number = [&](const char* name) { return format_digits(result.number(name), 7); };
  if (result.contains("dual_value_at_alignment")) {
    lines.push_back({"value at A", concat("at least ", number("dual_value_at_alignment"),
                                          "; no lower bound over all A is known")});
  }
  if (result.contains("learned_value")) {
    lines.push_back({"learned value", number("learned_value")});
  }
  if (result.contains("alignment_norm")) {
    const char* stationarity =
        result.contains("stationarity") ? "stationarity" : "certificate.stationarity";
    lines.push_back({"alignment", concat("|A| ", number("alignment_norm"),
                                         result.contains(stationarity)
                                             ? concat(", |A - E[x y^T] / 2| ", number(stationarity))
                                             : "")});
    lines.push_back({"starts", concat("spread ", number("starts.spread"))});
  }
  if (result.contains("debiased")) lines.push_back({"debiased", number("debiased.value")});
  return lines;
}

std::string storage_of(const sinkhorn::SinkhornConfig& inner, const Problem& problem,
                       Context& context) {
  const Spaces spaces(problem);
  const Pair pair =
      spaces.lifted(std::vector<double>(spaces.size_of_alignment(), 0.0), problem.epsilon);
  return storage_lines(
      {plan_storage(solve_shape(pair, {}, context.run.is_double(), context),
                    storage_named(inner.storage), sinkhorn::workload_of(inner, pair), context)});
}

}  // namespace kantor::egw
