#include "solvers/egw/alternation.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "distributed/collectively.hpp"
#include "runtime/core/error.hpp"
#include "runtime/core/index.hpp"
#include "runtime/metrics/progress.hpp"
#include "solvers/sinkhorn/oracle.hpp"

namespace kantor::egw {

namespace {

constexpr double kLoosest = 1e-2;  // of the solve before a step
constexpr double kOfChange = 0.1;  // its tolerance, of how far A has moved

/// Into the ball, along its radius.
void project(std::vector<double>& values, double radius) {
  const double norm = norm_of(values);
  if (norm <= radius) return;
  for (double& value : values) value *= radius / norm;
}

}  // namespace

void Iterate::describe(const StateFields& fields) {
  fields.add("alignment", alignment);
  fields.add_or_none("g", g, index(m));
  fields.add("step", step);
  fields.add("iterations", iterations);
  fields.add("change", change);
  fields.add_or_none("path", path, alignment.size());
  fields.add_or_none("origin", origin, alignment.size());
}

Alternation::Alternation(const Spaces& spaces, const EgwConfig& config,
                         const sinkhorn::SinkhornConfig& inner, double epsilon, const char* label,
                         CheckpointScope& scope, Context& context)
    : spaces_(spaces),
      config_(config),
      inner_(inner),
      epsilon_(epsilon),
      label_(label),
      scope_(scope),
      context_(context),
      solving_(context),
      oracle_(sinkhorn::make_oracle(inner, scope, solving_)) {
  constexpr double kManyPairs = 2e9;  // of a rank: a solve takes seconds
  const double pairs = static_cast<double>(spaces.n(0)) * static_cast<double>(spaces.n(1));
  solving_.show_progress = context.show_progress && pairs / context.world.size() > kManyPairs;
  const Space& first = spaces.space(0);
  const Shard rows = shard_of(first.cloud.n(), context.world.rank(), context.world.size());
  x_.resize(index(rows.count() * first.cloud.d()));
  first.cloud.marginal.read_range<double>(rows.first, rows.count(), first.moments.mean, x_.data());
}

double Alternation::epsilon_of(std::int64_t step) const {
  return epsilon_ * config_.decay().multiple(step);
}

bool Alternation::is_done(const Iterate& at) const {
  if (!spaces_.has_alignment() || at.step >= config_.max_steps) return true;
  return at.step > 0 && at.change <= config_.tolerance && epsilon_of(at.step - 1) == epsilon_;
}

Alignment Alternation::solve(Iterate& at, double epsilon, double tolerance,
                             CheckpointScope& scope) {
  const Pair pair = spaces_.lifted(at.alignment, epsilon);
  Alignment found;
  found.solution = oracle_->solve(pair, std::move(at.g), tolerance, scope);
  at.g = found.solution.g;
  at.iterations += found.solution.iterations;
  EotOracle::Moment moment = oracle_->cross_moment(found.solution, x_, spaces_.d(0));
  found.lower = spaces_.value(at.alignment, moment.dual_value);
  if (!spaces_.has_alignment()) return found;
  std::vector<double> of_points;
  const std::size_t width = index(pair.d());
  for (std::size_t i = 0; i < index(spaces_.d(0)); ++i) {
    const auto row =
        moment.values.begin() + static_cast<std::ptrdiff_t>(i * width + spaces_.first_of_points());
    of_points.insert(of_points.end(), row, row + spaces_.d(1));
  }
  found.half_moment = spaces_.uncentred(std::move(of_points));
  for (double& value : found.half_moment) value /= 2;
  return found;
}

/// The gradient is 2 weight (A - E[x y^T] / 2), so that the alternating update is a step of
/// 1 / (2 weight) along it. Accelerated: Rioux, Goldfeld & Kato 2024, algorithm 1, with L = 2
/// weight.
void Alternation::update(Iterate& at, const std::vector<double>& half_moment) const {
  const double radius = spaces_.radius();
  std::vector<double> next = half_moment;
  project(next, radius);
  if (config_.update == "accelerated") {
    if (at.path.empty()) {
      at.origin = at.alignment;
      at.path.assign(at.alignment.size(), 0.0);
    }
    const auto t = static_cast<double>(at.step);
    std::vector<double> far = at.origin;
    for (std::size_t i = 0; i < far.size(); ++i) {
      at.path[i] += (t + 1) / 2 * (at.alignment[i] - half_moment[i]);
      far[i] -= at.path[i];
    }
    project(far, radius);
    for (std::size_t i = 0; i < next.size(); ++i) {
      next[i] = 2 / (t + 3) * far[i] + (t + 1) / (t + 3) * next[i];
    }
  }
  double square = 0;
  for (std::size_t i = 0; i < next.size(); ++i) {
    square += (next[i] - at.alignment[i]) * (next[i] - at.alignment[i]);
  }
  at.change = radius > 0 ? std::sqrt(square) / radius : 0;
  at.alignment = std::move(next);
  ++at.step;
}

Alignment Alternation::step(Iterate& at) {
  scope_.ended("alignment", at);
  CheckpointScope solving(scope_, "solve", at.iterations);
  const double tolerance = std::max(inner_.tolerance, std::min(kLoosest, kOfChange * at.change));
  Alignment found = solve(at, epsilon_of(at.step), tolerance, solving);
  update(at, found.half_moment);
  context_.metrics.write(scope_.prefix() + label_, at.step,
                         {{"change", at.change}, {"value", found.lower}});
  return found;
}

void Alternation::hear_stop(Iterate& at) {
  const std::int64_t stop = context_.stop_requested() ? 1 : 0;
  if (context_.world.agree(stop, "a request to stop") == 0) return;
  scope_.ended("alignment", at);
  scope_.save_found(at.iterations);
  throw Stopped(scope_.step_of_run(at.iterations));
}

Alignment Alternation::run(Iterate& at) {
  collectively(context_.world, "restoring the alignment", [&] { scope_.found("alignment", at); });
  metrics::Progress progress(
      {.enabled = context_.show_progress && !solving_.show_progress, .label = label_});
  while (!is_done(at)) {
    hear_stop(at);  // solves that end with their first pass do not
    step(at);
    progress.update(at.step, "change of A", at.change);
  }
  progress.finish();
  scope_.ended("alignment", at);
  CheckpointScope solving(scope_, "last", at.iterations);
  return solve(at, epsilon_, inner_.tolerance, solving);
}

}  // namespace kantor::egw
