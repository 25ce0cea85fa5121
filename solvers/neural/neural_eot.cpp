#include "solvers/neural/neural_eot.hpp"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "distributed/collectively.hpp"
#include "distributed/flat_parameters.hpp"
#include "distributed/rank_memory.hpp"
#include "distributed/trainer.hpp"
#include "runtime/core/error.hpp"
#include "runtime/core/index.hpp"
#include "runtime/core/process.hpp"
#include "runtime/core/text.hpp"
#include "solvers/eot/evaluation_progress.hpp"
#include "solvers/eot/gauge.hpp"
#include "solvers/eot/plan_diagnostics.hpp"
#include "solvers/eot/plan_value.hpp"
#include "solvers/eot/sharded_pairs.hpp"
#include "solvers/neural/correction_scale.hpp"
#include "solvers/neural/initial_potential.hpp"
#include "solvers/neural/potential_values.hpp"
#include "solvers/neural/semi_dual.hpp"
#include "solvers/sinkhorn/certificate.hpp"

namespace kantor::neural {

namespace {

/// Without the rows that were kept out of training; nothing if no mass remains.
std::optional<Subset> trained_subset(const Pair& pair, const Subset& subset, Context& context) {
  bool is_empty = false;  // an empty list in a Subset means all rows
  const auto without_heldout = [&](std::size_t marginal, const std::vector<std::int64_t>& rows) {
    const std::vector<std::int64_t> heldout =
        training_sampler(pair, marginal, context.run.seed).heldout_rows();
    if (heldout.empty()) return rows;
    std::vector<std::int64_t> kept;
    for (const std::int64_t row :
         rows_of(shard_of(rows.empty() ? pair.n(marginal) : std::ssize(rows), 0, 1), rows)) {
      if (!std::binary_search(heldout.begin(), heldout.end(), row)) kept.push_back(row);
    }
    is_empty = is_empty || kept.empty();
    return kept;
  };
  Subset kept{without_heldout(0, subset.x), without_heldout(1, subset.y)};
  if (is_empty || !has_mass(pair, kept)) return std::nullopt;
  return kept;
}

template <class T>
void rescale(Potential& potential, const Pair& pair, const Subset& subset, Context& context) {
  const std::optional<Subset> trained = trained_subset(pair, subset, context);
  if (!trained) {
    context.log.detail("none of the points evaluated was trained on: the network is not rescaled");
    return;
  }
  const double scale = best_correction_scale<T>(potential, pair, *trained, context);
  potential.scale_correction(scale);
  context.log.detail(concat("the dual value over the data is largest at ", scale,
                            " times the trained network, which is what is kept"));
}

/// E_mu f + E_nu f^{c,eps} on the rows that were kept out of training (on all rows of a marginal
/// that keeps none out).
template <class T>
std::optional<double> held_out_dual(const Potential& potential, const Pair& pair,
                                    Context& context) {
  const Subset subset{training_sampler(pair, 0, context.run.seed).heldout_rows(),
                      training_sampler(pair, 1, context.run.seed).heldout_rows()};
  if (subset.x.empty() && subset.y.empty()) return std::nullopt;
  if (!has_mass(pair, subset)) {
    context.log.warn_once("the held-out points have no weight: there is no held_out_dual");
    return std::nullopt;
  }
  const ShardedPairs<double> points(pair, subset, Storage::streamed, context);
  const std::vector<double> f = potential_at<T>(potential, pair, rows_of(points.rows(), subset.x));
  std::vector<double> g(index(points.m()));
  points.transform_to_y(f, g);
  return points.expectation_x(f) + points.expectation_y(g);
}

/// The solver's own potentials at ALL points: f of the network, whose gauge is fixed here, and g =
/// c-transform over the evaluated x. Whole on rank 0, empty elsewhere.
template <class T>
std::vector<std::vector<double>> exported_potentials(Potential& potential, const Pair& pair,
                                                     const Subset& subset,
                                                     std::span<const double> f,
                                                     std::span<const double> g, Context& context) {
  const Shard shard = shard_of(pair.n(0), context.world.rank(), context.world.size());
  std::vector<double> part = subset.x.empty()
                                 ? std::vector<double>(f.begin(), f.end())
                                 : potential_at<T>(potential, pair, rows_of(shard, {}));
  part.resize(index(shard.slots));
  std::vector<double> all_f(part.size() * index(context.world.size()));
  context.world.all_gather<double>(part, all_f, "potentials");
  all_f.resize(index(pair.n(0)));

  std::vector<double> all_g(g.begin(), g.end());
  if (!subset.y.empty()) {
    const ShardedPairs<double> every_y(pair, {subset.x, {}}, Storage::streamed, context);
    all_g.resize(index(pair.n(1)));
    every_y.transform_to_y(f, all_g);
  }
  potential.shift_gauge(fix_gauge(pair.x.marginal.weights(), all_f, all_g));
  if (context.world.rank() != 0) return {};
  return {std::move(all_f), std::move(all_g)};
}

/// What Sinkhorn iterations from the learned potentials prove.
void certify(const NeuralConfig& config, const Pair& pair, const Subset& subset,
             ShardedPairs<double>& points, const std::vector<double>& f,
             const std::vector<double>& g, Result& result, Context& context) {
  sinkhorn::Certificate found = sinkhorn::certificate_of(
      pair, subset, points, {config.certificate_tolerance, config.certificate_iterations}, f, g,
      result.iterations, context);
  const PlanValue& value = found.value;
  const double dual_value = result.dual_value.value();
  const double gap = relative_gap(dual_value, value.objective);
  result.objective = value.objective;
  result.transport_cost = value.transport_cost;
  result.kl = value.kl;
  plan_entropy(points, value.kl).put_into(result, pair);
  result.marginal_error = {found.report.first_error,
                           0};  // the c-transform makes the second marginal exact
  Record certificate;
  certificate.set("dual_value", dual_value, "of the learned potentials");
  certificate.set("solved_value", value.dual_value, "dual value after the iterations");
  certificate.set("upper_value", value.objective, "objective of the rounded plan");
  certificate.set_if_finite("relative_gap", gap, "of dual_value to upper_value");
  certificate.set("gap_nats", (value.objective - dual_value) / pair.epsilon,
                  "(upper_value - dual_value) / epsilon");
  certificate.set("iterations", found.report.iterations);
  certificate.set("marginal_error", value.marginal_error,
                  "L1, one per marginal, of the plan before rounding");
  result.own.set("certificate", certificate,
                 "dual_value <= optimum <= upper_value on the evaluated points");
  result.converged = gap <= config.gap_tolerance;
  if (!*result.converged) {
    result.advice.push_back(concat("not converged: proven gap ", format_digits(gap, 2),
                                   " > solver.neural.gap_tolerance ",
                                   format_digits(config.gap_tolerance, 7),
                                   "; in a new --out, raise solver.neural.steps or .batch (or "
                                   ".certificate_iterations)"));
  }
  if (context.world.rank() != 0) return;
  result.add_potentials("certificate", {std::move(found.f), std::move(found.g)});
}

void put_training(const NeuralConfig& config, const TrainingReport& training, Record& own) {
  own.set("steps", training.steps);
  own.set("skipped_steps", training.skipped);
  own.set_if_finite("samples_per_second", static_cast<double>(config.batch * training.steps) /
                                              std::max(training.seconds, 1e-9));
  Record profile;
  for (const auto& [phase, share] : training.profile) profile.set(phase, share);
  if (!profile.empty()) own.set("profile", profile, "shares of rank 0's training time");
}

/// What the trained network is worth.
template <class T>
Result evaluated(const NeuralConfig& config, const Pair& pair, Potential& potential,
                 const TrainingReport& training, Context& context) {
  const Subset subset = evaluation_subset(pair, config.evaluation_points, context.run.seed);
  if (config.rescale) rescale<T>(potential, pair, subset, context);
  ShardedPairs<double> points(pair, subset, Storage::streamed, context);
  const std::vector<double> f = potential_at<T>(potential, pair, rows_of(points.rows(), subset.x));
  std::vector<double> g(index(points.m()));
  {
    EvaluationProgress evaluation(1, training.steps, {}, context);
    points.pause_in(&evaluation);
    points.transform_to_y(f, g);
    points.pause_in(nullptr);
    evaluation.finish();
  }

  Result result;
  result.iterations = training.steps;
  put_training(config, training, result.own);
  result.dual_value = points.expectation_x(f) + points.expectation_y(g);
  result.own.set_if("held_out_dual", held_out_dual<T>(potential, pair, context));
  if (!subset.x.empty() || !subset.y.empty()) {
    result.own.set("evaluation_points", std::vector{points.n(), points.m()},
                   "points per marginal, where fewer than all were used");
  }
  result.add_potentials("potentials",
                        exported_potentials<T>(potential, pair, subset, f, g, context));
  if (config.certificate_iterations > 0) {
    certify(config, pair, subset, points, f, g, result, context);
  }
  result.tensors = potential.tensors();
  result.model = potential.description();
  return result;
}

template <class T>
Result solve_in(const NeuralConfig& config, const Pair& pair, Context& context) {
  const double start = monotonic_seconds();
  Potential potential = initial_potential(config.network, pair, context);
  FlatParameters parameters(potential.parameters());
  SemiDual<T> objective(config, pair, potential, context);
  const TrainingReport training = Trainer(config.training, objective, parameters, context).run();
  const double trained = monotonic_seconds();
  Result result;
  try {
    result = evaluated<T>(config, pair, potential, training, context);
  } catch (const Stopped&) {
    throw Stopped(training.steps);  // the end of the training is saved
  }
  result.seconds.solve = trained - start;
  result.seconds.certificate = monotonic_seconds() - trained;
  return result;
}

}  // namespace

Result solve(const NeuralConfig& config, const Problem& problem, Context& context) {
  const Pair pair = pair_of(problem);
  return in_precision(context, [&]<class T>() { return solve_in<T>(config, pair, context); });
}

std::vector<Line> lines_of(const Record& result) {
  std::vector<Line> lines = plan_lines(result);
  const auto points = result.find_as<std::vector<std::int64_t>>("evaluation_points");
  if (points && points->size() == 2) {
    lines.push_back({"both",
                     concat("of ", points->at(0), " x ", points->at(1),
                            " points, a sample (solver.neural.evaluation_points)"),
                     "proven gap"});
  }
  const Record profile = result.find_as<Record>("profile").value_or(Record());
  std::string shares;  // "data 6 %, forward 31 %, .."
  for (const Record::Entry& phase : profile.entries()) {
    char percent[16];
    std::snprintf(percent, sizeof percent, "%.0f %%", 100 * phase.value.as<double>().value_or(0));
    shares += concat(shares.empty() ? "" : ", ", phase.name, " ", percent);
  }
  if (!shares.empty()) lines.push_back({"profile", shares});
  return lines;
}

double batch_bytes(const NeuralConfig& config, const Problem& problem, const Context& context) {
  const double element = context.run.is_double() ? 8 : 4;
  return static_cast<double>(config.batch) * static_cast<double>(problem.d()) * element * 2;
}

void check_room_for_batch(const NeuralConfig& config, const Problem& problem, Context& context) {
  const double needed = batch_bytes(config, problem, context);
  const double room = memory_of_rank(context.world);
  const std::int64_t short_of = context.world.agree(needed > room ? 1 : 0, "room for a batch");
  if (short_of == 0) return;
  fail_on_all_ranks(context.world,
                    ConfigError(concat("solver.neural.batch is ", config.batch,
                                       ": its points take ", format_bytes(needed),
                                       " per rank, more than some rank has left; ", "lower it")));
}

double bytes_per_rank(const NeuralConfig& config, const Problem& problem, const Context& context) {
  const double element = context.run.is_double() ? 8 : 4;
  const auto limit = [&](std::int64_t n) {
    return static_cast<double>(config.evaluation_points > 0 ? std::min(n, config.evaluation_points)
                                                            : n);
  };
  const double n = std::ceil(limit(problem.n(0)) / static_cast<double>(context.world.size()));
  const double m = limit(problem.n(1));
  const auto d = static_cast<double>(problem.d());
  const double batch = batch_bytes(config, problem, context);
  const double costs = config.certificate_iterations > 0 ? n * m * (element + 8) : n * m * 8;
  double parameters = 0;
  double in = d;
  for (const std::int64_t out : config.network.width) {
    parameters += (in + 1) * static_cast<double>(out);
    in = static_cast<double>(out);
  }
  return (n + m) * d * (8 + element) + costs + batch + 5 * parameters * element;
}

}  // namespace kantor::neural
