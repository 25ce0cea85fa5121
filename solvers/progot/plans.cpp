#include "solvers/progot/plans.hpp"

#include "solvers/sinkhorn/sinkhorn.hpp"

namespace kantor::progot {

namespace {

/// What ProgOT holds beside what Sinkhorn does. In a solve: the moved rows, the moves and what
/// becomes of the rows. In the evaluation: the moved rows, points as given, on rank 0 the whole
/// cloud. In both the K potentials four times: as they are solved, as they are kept for later
/// checkpoints, and while rank 0 saves one, in its state and in its bytes.
SolveShape shape_of(const ProgotConfig& config, const Pair& pair, const Context& context) {
  SolveShape shape = solve_shape(pair, {}, context.run.is_double(), context);
  const std::int64_t potentials = 4 * config.steps * (shape.m + (config.debiased ? shape.n : 0));
  const std::int64_t self = config.debiased ? 2 * shape.n * shape.d : 0;  // the whole cloud
  const std::int64_t solve = 3 * shape.rows * shape.d + self;
  const std::int64_t evaluation = (3 * shape.rows + 2 * shape.m + shape.n) * shape.d;
  shape.more_solve_bytes = sizeof(double) * static_cast<double>(solve + potentials);
  shape.more_evaluation_bytes = sizeof(double) * static_cast<double>(evaluation + potentials);
  return shape;
}

}  // namespace

std::vector<StoragePlan> plans_of(const ProgotConfig& config,
                                  const sinkhorn::SinkhornConfig& solves, const Pair& pair,
                                  CheckpointScope& run, Context& context) {
  const Storage asked = storage_named(solves.storage);
  SolveShape shape = shape_of(config, pair, context);
  SolveShape self = solve_shape(pair, {}, shape.is_double, context);
  self.m = self.n;
  const double streamed =
      config.debiased ? estimate_storage(self, instruction_set()).streamed.bytes : 0;
  shape.more_solve_bytes += streamed;
  std::vector<StoragePlan> plans = {recorded_plan(run, "progot.storage", shape, asked,
                                                  sinkhorn::workload_of(solves, pair), context)};
  if (!config.debiased) return plans;
  self.more_solve_bytes = plans[0].chosen().bytes - streamed;
  const Storage other = asked == Storage::streamed ? asked : Storage::automatic;
  plans.push_back(recorded_plan(run, "progot.storage_self", self, other, {}, context));
  return plans;
}

std::vector<StoragePlan> storage_plans(const ProgotConfig& config,
                                       const sinkhorn::SinkhornConfig& solves,
                                       const Problem& problem, Context& context) {
  CheckpointScope run(context.checkpoints);
  return plans_of(config, solves, pair_of(problem), run, context);
}

}  // namespace kantor::progot
