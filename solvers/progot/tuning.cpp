#include "solvers/progot/tuning.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "runtime/core/error.hpp"
#include "runtime/core/index.hpp"
#include "runtime/core/text.hpp"
#include "solvers/eot/entropic_map.hpp"
#include "solvers/eot/sharded_pairs.hpp"
#include "solvers/problem/cost_statistics.hpp"
#include "solvers/sinkhorn/symmetric.hpp"

// Shapes: L points of the target to solve with, K to test with, D dimensions.

namespace kantor::progot {

namespace {

constexpr double kBase = 0.05;  // of a mean cost
constexpr std::size_t kTestEvery = 5;

/// Rows of the target to solve with, and those kept out; all of positive weight.
struct Split {
  std::vector<std::int64_t> solve, test;
};

Split split_target(const Pair& pair, std::int64_t limit, Context& context) {
  std::vector<std::int64_t> rows = evaluation_subset(pair, limit, context.run.seed).y;
  if (rows.empty()) {
    for (std::int64_t row = 0; row < pair.n(1); ++row) {
      if (pair.y.marginal.weight(row) > 0) rows.push_back(row);
    }
  }
  if (rows.size() < 2) {
    fail_on_all_ranks(
        context.world,
        ConfigError("epsilon_schedule = \"tuned\" needs two points of positive weight in the "
                    "target; use \"problem\""));
  }
  Split split;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const bool is_test = i % kTestEvery == kTestEvery - 1 || (rows.size() < kTestEvery && i == 1);
    (is_test ? split.test : split.solve).push_back(rows[i]);
  }
  return split;
}

/// Weighted mean of |y - T(y)|^2 over the points kept out, T the map of the others to themselves.
double map_error(const Pair& target, const ShardedPairs<double>& points, const Split& split,
                 std::span<const double> potential, Context& context) {
  const std::int64_t d = target.d();
  const Shard share = shard_of(std::ssize(split.test), context.world.rank(), context.world.size());
  const std::int64_t count = share.count();
  std::vector<double> test(index(count * d));
  target.y.marginal.read<double>(std::span(split.test).subspan(index(share.first), index(count)),
                                 target.centre, test.data());
  std::vector<double> sums = {0, 0};
  if (count > 0) {
    const auto cost = kernels::streamed_cost<double>(target.cost.kernel, {test.data(), count, d},
                                                     points.y(), target.centre);
    std::vector<double> log_b;
    for (const double weight : points.b()) log_b.push_back(std::log(weight));
    std::vector<double> soft_minima(index(count));
    std::vector<double> moves =
        mean_gradients<double>({*cost, log_b, potential, points.epsilon()}, target.cost.kernel,
                               {test.data(), count, d}, points.y(), context.pool, soft_minima);
    to_displacements(target.cost.kernel, moves);
    for (std::int64_t i = 0; i < count; ++i) {
      const double weight = target.y.marginal.weight(split.test[index(share.first + i)]);
      sums[1] += weight;
      for (std::int64_t k = 0; k < d; ++k) {
        sums[0] += weight * moves[index(i * d + k)] * moves[index(i * d + k)];
      }
    }
  }
  context.world.all_reduce<double>(sums, ReduceOp::sum, "error of the map");
  return sums[0] / sums[1];
}

}  // namespace

std::vector<double> tuned_epsilons(const ProgotConfig& config,
                                   const sinkhorn::SinkhornConfig& solves, const Pair& pair,
                                   Context& context) {
  const Split split = split_target(pair, config.tuning.points, context);
  Pair target = self_pair(pair, 1);
  const double unit = kBase * cost_statistics(target.cost, target.x, target.y, false, context).mean;
  if (!(unit > 0) || !(pair.mean_cost > 0)) {
    fail_on_all_ranks(
        context.world,
        ConfigError(concat("epsilon_schedule = \"tuned\" is relative to mean costs, which "
                           "are ",
                           pair.mean_cost, " and, of the target, ", unit / kBase,
                           " here; give epsilons instead")));
  }

  double best_scale = 0;
  double best_error = std::numeric_limits<double>::infinity();
  for (const double scale : config.tuning.scales) {
    target.epsilon = scale * unit;
    const ShardedPairs<double> points(target, {split.solve, split.solve}, Storage::automatic,
                                      context);
    std::vector<double> f(split.solve.size(), 0.0);
    try {
      CheckpointScope nowhere;
      sinkhorn::iterate_symmetric(points, {solves.tolerance, solves.max_iterations}, f, context,
                                  "tuning", nowhere);
    } catch (const Stopped&) {
      throw Stopped(0);  // the tuning is made again
    }
    const double error = map_error(target, points, split, f, context);
    context.log.detail(concat("tuning: scale ", scale, ", error of the map ", error));
    if (error < best_error) {
      best_error = error;
      best_scale = scale;
    }
  }
  context.log.info(concat("tuned: the last epsilon is ", format_number(best_scale * unit), ", ",
                          best_scale, " x 5 % of the target's mean cost"));
  return interpolated_epsilons(step_lengths(config), config.tuning.start * kBase * pair.mean_cost,
                               best_scale * unit);
}

}  // namespace kantor::progot
