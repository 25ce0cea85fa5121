#include "solvers/egw/multistart.hpp"

#include <algorithm>
#include <utility>

#include "distributed/collectively.hpp"
#include "runtime/core/error.hpp"
#include "runtime/core/index.hpp"
#include "runtime/core/text.hpp"
#include "solvers/eot/sharded_pairs.hpp"

namespace kantor::egw {

namespace {

/// Row k of a matrix with so many columns.
std::vector<double> row_of(const std::vector<double>& matrix, std::size_t k, std::size_t columns) {
  const auto first = matrix.begin() + static_cast<std::ptrdiff_t>(k * columns);
  return {first, first + static_cast<std::ptrdiff_t>(columns)};
}

class Solve {
 public:
  Solve(const Spaces& spaces, const EgwConfig& config, const sinkhorn::SinkhornConfig& inner,
        double epsilon, CheckpointScope& scope, Context& context)
      : spaces_(spaces),
        config_(config),
        at_epsilon_(config),
        inner_(inner),
        epsilon_(epsilon),
        scope_(scope),
        context_(context) {
    at_epsilon_.epsilon_decay.reset();  // which the trials have been through
  }

  Solutions run() {
    const Spaces few = spaces_.subsample(config_.start_points, context_.run.seed);
    Solutions all(try_starts(few, config_, inner_, epsilon_, scope_, context_));
    for (std::size_t k = 0; k < all.trials.best.size(); ++k) {
      const std::string name = concat("solved", k);
      Solved found(spaces_, first_of(all.trials, k));
      bool is_found = false;
      collectively(context_.world, "restoring a solve",
                   [&] { is_found = scope_.found(name, found); });
      if (!is_found) {
        CheckpointScope one(scope_, concat("start", k), all.iterations);
        found = from_start(few, all.trials, k, one);
        scope_.ended(name, found);
      }
      all.iterations += found.at.iterations;
      all.solved.push_back(std::move(found));
    }
    return all;
  }

 private:
  Iterate first_of(const Trials& trials, std::size_t k) const {
    return {row_of(trials.alignments, k, spaces_.size_of_alignment()), spaces_.n(1)};
  }

  /// Over levels, each of them kept until the next has ended: little work before all points.
  Solved from_start(const Spaces& few, const Trials& trials, std::size_t k,
                    CheckpointScope& scope) {
    constexpr std::int64_t kGrowth = 7;
    std::int64_t level = config_.start_points;  // the last that has ended
    bool is_found = false;
    collectively(context_.world, "restoring a level",
                 [&] { is_found = scope.found("level", level); });
    Spaces before = is_found ? spaces_.subsample(level, context_.run.seed) : few;
    Solved found(before, first_of(trials, k));
    if (is_found) {
      collectively(context_.world, "restoring a level",
                   [&] { scope.found("level_solution", found); });
    } else {
      found.f = row_of(trials.potentials, k, index(few.n(0)));
    }
    const std::int64_t most = std::max(spaces_.n(0), spaces_.n(1));
    while (level * kGrowth < most / 2) {
      level *= kGrowth;
      Spaces next = spaces_.subsample(level, context_.run.seed);
      go_on(before, next, concat(level), scope, found);
      before = std::move(next);
      scope.ended("level", level);
      scope.ended("level_solution", found);
    }
    go_on(before, spaces_, "all", scope, found);
    return found;
  }

  /// From what the points of `before` have come to, to those of `spaces`.
  void go_on(const Spaces& before, const Spaces& spaces, const std::string& name,
             CheckpointScope& parent, Solved& found) {
    CheckpointScope scope(parent, name, found.at.iterations);
    Iterate at(std::move(found.at.alignment), spaces.n(1));
    at.g = extended(before, spaces, at.alignment, found.f);
    Alternation alternation(spaces, at_epsilon_, inner_, epsilon_, "egw", scope, context_);
    Alignment aligned = alternation.run(at);
    context_.log.info(concat(spaces.n(0), " x ", spaces.n(1), " points: ", at.step, " steps of A, ",
                             at.iterations, " iterations, last change ", format_number(at.change)));
    at.iterations += found.at.iterations;
    at.step += found.at.step;
    found.f = gather_rows(aligned.solution.f, spaces.n(0), context_.world, "potentials");
    found.g = std::move(aligned.solution.g);
    found.half_moment = std::move(aligned.half_moment);
    found.has_converged =
        aligned.solution.converged && (!spaces.has_alignment() || at.change <= config_.tolerance);
    found.at = std::move(at);
  }

  /// g of the points y of `spaces` from f of the points x of `before`.
  std::vector<double> extended(const Spaces& before, const Spaces& spaces,
                               std::span<const double> alignment, std::span<const double> f) const {
    const Pair pair = spaces.lifted_between(before, spaces, alignment, epsilon_);
    const ShardedPairs<double> points(pair, {}, Storage::streamed, context_);
    const Shard& rows = points.rows();
    std::vector<double> g(index(points.m()));
    points.transform_to_y(f.subspan(index(rows.first), index(rows.count())), g);
    return g;
  }

  const Spaces& spaces_;
  const EgwConfig& config_;
  EgwConfig at_epsilon_;
  const sinkhorn::SinkhornConfig& inner_;
  double epsilon_;
  CheckpointScope& scope_;
  Context& context_;
};

}  // namespace

Solutions solve_from_starts(const Spaces& spaces, const EgwConfig& config,
                            const sinkhorn::SinkhornConfig& inner, double epsilon,
                            CheckpointScope& scope, Context& context) {
  return Solve(spaces, config, inner, epsilon, scope, context).run();
}

}  // namespace kantor::egw
