#include "solvers/egw/starts.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>
#include <utility>

#include "distributed/collectively.hpp"
#include "runtime/core/error.hpp"
#include "runtime/core/index.hpp"
#include "runtime/kernels/blas.hpp"
#include "runtime/metrics/progress.hpp"
#include "runtime/random/philox.hpp"
#include "solvers/problem/number_range.hpp"

namespace kantor::egw {

namespace {

constexpr double kRandomNorm = 0.2;  // of random starts, over the radius
// Trials are told apart by values, whose error is the square of that of A.
constexpr double kTrialTolerance = 1e-2;
constexpr double kTrialMarginalError = 1e-3;
constexpr std::int64_t kMostTrialSteps = 100;
constexpr std::int64_t kMostTrialIterations = 300;  // of a solve: ranks wait for each other

EgwConfig trial_config(EgwConfig config) {
  config.tolerance = std::max(config.tolerance, kTrialTolerance);
  config.max_steps = std::min(config.max_steps, kMostTrialSteps);
  return config;
}

sinkhorn::SinkhornConfig trial_solves(sinkhorn::SinkhornConfig config) {
  config.tolerance = std::max(config.tolerance, kTrialMarginalError);
  config.max_iterations = std::min(config.max_iterations, kMostTrialIterations);
  return config;
}

std::vector<double> random_alignment(const Spaces& spaces, const random::Stream& stream) {
  std::vector<double> a(spaces.size_of_alignment());
  for (std::size_t i = 0; i < a.size(); ++i) a[i] = stream.normal(i);
  const double scale = kRandomNorm * spaces.radius() / norm_of(a);
  for (double& value : a) value *= scale;
  return a;
}

struct Axes {
  std::vector<double> values;   ///< [D] ascending
  std::vector<double> vectors;  ///< [D, D], row k belongs to values[k]
};

Axes axes_of(const Spaces& spaces, std::size_t k) {
  Axes axes{.values = std::vector<double>(index(spaces.d(k))), .vectors = spaces.second_moment(k)};
  kernels::symmetric_eigen(spaces.d(k), axes.vectors, axes.values);
  return axes;
}

/// sum_i sign_i sqrt(l_i m_match(i)) u_i v_match(i)^T / 2, of the largest eigenvalues first.
/// @param variant 0: all signs +, matched by size.
std::vector<double> spectral_alignment(const Spaces& spaces, std::int64_t variant,
                                       const random::Stream& stream) {
  const Axes x = axes_of(spaces, 0);
  const Axes y = axes_of(spaces, 1);
  const std::size_t dx = x.values.size();
  const std::size_t dy = y.values.size();
  const std::size_t pairs = std::min(dx, dy);
  std::vector<std::size_t> match(dy);
  std::iota(match.begin(), match.end(), std::size_t{0});
  std::vector<double> signs(pairs, 1.0);
  for (std::size_t i = 0; i < pairs && variant > 0; ++i) {
    signs[i] = stream.uniform(2 * i) < .5 ? -1 : 1;
    // Every other variant swaps neighbours in size, whose eigenvalues are near each other.
    if (variant % 2 == 0 && i + 1 < dy && stream.uniform(2 * i + 1) < .5) {
      std::swap(match[i], match[i + 1]);
    }
  }
  std::vector<double> a(dx * dy, 0.0);
  for (std::size_t i = 0; i < pairs; ++i) {
    const std::size_t u = dx - 1 - i;
    const std::size_t v = dy - 1 - match[i];
    const double scale =
        signs[i] * std::sqrt(std::max(x.values[u], 0.0) * std::max(y.values[v], 0.0)) / 2;
    for (std::size_t r = 0; r < dx; ++r) {
      for (std::size_t c = 0; c < dy; ++c) {
        a[r * dy + c] += scale * x.vectors[u * dx + r] * y.vectors[v * dy + c];
      }
    }
  }
  return a;
}

/// One rank's starts, each with a world of its own.
class OwnStarts {
 public:
  OwnStarts(const Spaces& few, const EgwConfig& config, const sinkhorn::SinkhornConfig& inner,
            double epsilon, Context& context)
      : few_(few),
        config_(trial_config(config)),
        inner_(trial_solves(inner)),
        epsilon_(epsilon),
        seed_(context.run.seed),
        next_(context.world.rank()),
        stride_(context.world.size()),
        alone_(make_self_communicator()),
        log_({.rank = context.world.rank(), .quiet = true}),
        context_{.run = context.run,
                 .world = *alone_,
                 .pool = context.pool,
                 .log = log_,
                 .metrics = metrics_,
                 .checkpoints = checkpoints_,
                 .pair_reducer = context.pair_reducer} {}

  struct Ended {
    std::int64_t start;
    double objective;
    std::vector<double> alignment;
    std::vector<double> f;
  };
  std::vector<Ended> ended;

  bool is_done() const { return !alternation_ && next_ >= num_starts(few_, config_); }

  /// One step of A of the start in hand.
  void advance() {
    if (is_done()) return;
    if (!alternation_) {
      at_.emplace(start_alignment(few_, next_, seed_), few_.n(1));
      alternation_.emplace(few_, config_, inner_, epsilon_, "egw, start", nowhere_, context_);
    }
    if (!alternation_->is_done(*at_)) {
      alternation_->step(*at_);
      return;
    }
    const Alignment found = alternation_->run(*at_);
    const double objective = few_.value(at_->alignment, alternation_->value(found).objective);
    ended.push_back({next_, objective, std::move(at_->alignment), found.solution.f});
    alternation_.reset();
    next_ += stride_;
  }

 private:
  const Spaces& few_;
  EgwConfig config_;
  sinkhorn::SinkhornConfig inner_;
  double epsilon_;
  std::int64_t seed_, next_, stride_;
  std::unique_ptr<Communicator> alone_;
  Log log_;
  metrics::MetricsFile metrics_;
  Checkpoints checkpoints_;
  CheckpointScope nowhere_;
  Context context_;
  std::optional<Iterate> at_;
  std::optional<Alternation> alternation_;
};

/// What each rank has a part of, and zeros elsewhere, on all of them.
void add_up(std::vector<double>& values, const char* what, Context& context) {
  context.world.all_reduce<double>(values, ReduceOp::sum, what);
}

Trials gathered(const std::vector<OwnStarts::Ended>& ended, const Spaces& few,
                const EgwConfig& config, Context& context) {
  Trials trials(few, config);
  const std::size_t starts = trials.objectives.size();
  for (const auto& each : ended) {
    trials.objectives[index(each.start)] = each.objective;
    trials.norms[index(each.start)] = norm_of(each.alignment);
  }
  add_up(trials.objectives, "values of the starts", context);
  add_up(trials.norms, "norms of the starts", context);
  std::vector<std::size_t> order(starts);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t i, std::size_t j) {
    return trials.objectives[i] < trials.objectives[j];
  });
  const std::size_t size = few.size_of_alignment();
  const std::size_t n = index(few.n(0));
  for (std::size_t k = 0; k < trials.best.size(); ++k) {
    trials.best[k] = static_cast<double>(order[k]);
    for (const auto& each : ended) {
      if (index(each.start) != order[k]) continue;
      std::copy(each.alignment.begin(), each.alignment.end(),
                trials.alignments.begin() + static_cast<std::ptrdiff_t>(k * size));
      std::copy(each.f.begin(), each.f.end(),
                trials.potentials.begin() + static_cast<std::ptrdiff_t>(k * n));
    }
  }
  add_up(trials.alignments, "the best starts", context);
  add_up(trials.potentials, "potentials of the best starts", context);
  return trials;
}

}  // namespace

std::vector<double> start_alignment(const Spaces& spaces, std::int64_t k, std::int64_t seed) {
  if (k == 0) return std::vector<double>(spaces.size_of_alignment(), 0.0);
  const random::Stream stream(static_cast<std::uint64_t>(seed), random::Purpose::alignment,
                              static_cast<std::uint32_t>(k));
  if (spaces.radius() == 0) return start_alignment(spaces, 0, seed);
  const std::int64_t variant = (k - 1) / 2;
  return k % 2 == 1 ? spectral_alignment(spaces, variant, stream)
                    : random_alignment(spaces, stream);
}

void check_number_range(const Spaces& spaces, double epsilon, Context& context) {
  const Pair pair = spaces.lifted(start_alignment(spaces, 1, 0), epsilon);
  kantor::check_number_range(pair.cost, pair.x, pair.y, epsilon, context);
}

std::int64_t num_starts(const Spaces& spaces, const EgwConfig& config) {
  return spaces.has_alignment() ? config.starts : 1;
}

Trials::Trials(const Spaces& few, const EgwConfig& config)
    : objectives(index(num_starts(few, config))),
      norms(objectives.size()),
      best(std::min(objectives.size(), index(config.continued))),
      alignments(best.size() * few.size_of_alignment()),
      potentials(best.size() * index(few.n(0))) {}

void Trials::describe(const StateFields& fields) {
  fields.add("objectives", objectives);
  fields.add("norms", norms);
  fields.add("best", best);
  fields.add("alignments", alignments);
  fields.add("potentials", potentials);
}

Trials try_starts(const Spaces& few, const EgwConfig& config, const sinkhorn::SinkhornConfig& inner,
                  double epsilon, CheckpointScope& scope, Context& context) {
  Trials trials(few, config);
  bool is_found = false;
  collectively(context.world, "restoring the starts",
               [&] { is_found = scope.found("starts", trials); });
  if (is_found) return trials;
  OwnStarts own(few, config, inner, epsilon, context);
  metrics::Progress progress({.enabled = context.show_progress, .label = "egw, starts"});
  for (std::int64_t round = 1;; ++round) {
    enum : std::int64_t { kDone, kAtWork, kStop };
    collectively(context.world, "trying starts", [&] { own.advance(); });
    const std::int64_t mine = context.stop_requested() ? kStop : own.is_done() ? kDone : kAtWork;
    const std::int64_t all = context.world.agree(mine, "the starts");
    if (all == kStop) {
      scope.save_found(0);
      throw Stopped(scope.step_of_run(0));
    }
    if (all == kDone) break;
    progress.update(round, "starts ended", static_cast<double>(own.ended.size()));
  }
  progress.finish();
  trials = gathered(own.ended, few, config, context);
  scope.ended("starts", trials);
  return trials;
}

}  // namespace kantor::egw
