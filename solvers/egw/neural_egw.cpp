#include "solvers/egw/neural_egw.hpp"

#include <torch/torch.h>

#include <algorithm>
#include <utility>

#include "distributed/collectively.hpp"
#include "distributed/trainer.hpp"
#include "runtime/core/error.hpp"
#include "runtime/core/index.hpp"
#include "runtime/core/process.hpp"
#include "runtime/core/text.hpp"
#include "solvers/egw/aligned_semi_dual.hpp"
#include "solvers/egw/results.hpp"
#include "solvers/eot/evaluation_progress.hpp"
#include "solvers/neural/initial_potential.hpp"
#include "solvers/neural/potential_values.hpp"

// Shapes: N points x (N_r on this rank) of DX coordinates, M points y of DY; A [DX, DY].

namespace kantor::egw {

namespace {

sinkhorn::SinkhornConfig certificate_solves(const neural::NeuralConfig& training) {
  sinkhorn::SinkhornConfig solves;
  solves.tolerance = training.certificate_tolerance;
  solves.max_iterations = training.certificate_iterations;
  return solves;
}

struct Trained {
  neural::Potential potential;
  std::vector<double> alignment;  ///< [DX, DY]
  TrainingReport report;
};

template <class T>
Trained train(const EgwConfig& config, const neural::NeuralConfig& training, const Spaces& spaces,
              const Pair& points, std::vector<double> alignment, CheckpointScope& scope,
              Context& context) {
  neural::NetworkConfig network = training.network;
  network.quadratic = false;  // a closed form of other costs
  neural::Potential potential = neural::initial_potential(network, points, context);
  const double radius = spaces.radius();
  for (double& value : alignment) value /= radius > 0 ? radius : 1;
  at::Tensor ratio = torch::tensor(alignment, torch::kFloat64)
                         .view({spaces.d(0), spaces.d(1)})
                         .to(potential.device(), torch::CppTypeToScalarType<T>::value)
                         .requires_grad_();
  FlatParameters of_potential(potential.parameters());
  FlatParameters of_alignment({{"alignment", ratio}});
  AlignedSemiDual<T> objective(training, spaces, points, potential, ratio, context);
  OptimizerConfig optimizer = training.training.optimizer;
  std::vector<Group> groups = {{"potential", of_potential, optimizer}};
  std::vector<Turn> turns = {{AlignedSemiDual<T>::kPotential, config.potential_steps}};
  if (spaces.has_alignment()) {
    optimizer = {.learning_rate = config.learning_rate};
    groups.push_back({"alignment", of_alignment, optimizer});
    turns.push_back({AlignedSemiDual<T>::kAlignment, 1});
  }
  const TrainingReport report =
      Trainer(training.training, objective, groups, turns, context, &scope).run();
  const at::Tensor learned = radius * ratio.detach().to(torch::kCPU, torch::kFloat64);
  const at::Tensor flat = learned.contiguous();
  return {std::move(potential),
          {flat.data_ptr<double>(), flat.data_ptr<double>() + flat.numel()},
          report};
}

/// The network at points of side 0 of `of`, a potential of what `spaces` lifts. [N_r]
template <class T>
std::vector<double> network_values(const Trained& trained, const Spaces& spaces, const Spaces& of,
                                   Context& context) {
  const Pair points = spaces.points(of);
  const Shard rows = shard_of(of.n(0), context.world.rank(), context.world.size());
  return neural::potential_at<T>(trained.potential, points, rows_of(rows, {}));
}

/// Values and potentials of what was learned, at the points evaluated.
struct Learned {
  double value = 0;       ///< at the learned A, by the potential and its transform
  std::vector<double> f;  ///< [N_r]
  std::vector<double> g;  ///< [M]
};

template <class T>
Learned learned(const Trained& trained, const Spaces& spaces, const Spaces& evaluated,
                double epsilon, Context& context) {
  Learned found;
  found.f = network_values<T>(trained, spaces, evaluated, context);
  const Pair pair = spaces.lifted_between(evaluated, evaluated, trained.alignment, epsilon);
  ShardedPairs<double> points(pair, {}, Storage::streamed, context);
  EvaluationProgress evaluation(1, trained.report.steps, {}, context);
  points.pause_in(&evaluation);
  found.g.resize(index(points.m()));
  points.transform_to_y(found.f, found.g);
  evaluation.finish();
  found.value = spaces.value(trained.alignment,
                             points.expectation_x(found.f) + points.expectation_y(found.g));
  return found;
}

/// Potentials at all points, A the learned one. On rank 0.
template <class T>
void add_learned(const Trained& trained, const Spaces& spaces, const Learned& learned,
                 const Spaces& evaluated, double epsilon, Result& result, Context& context) {
  std::vector<double> f = network_values<T>(trained, spaces, spaces, context);
  std::vector<double> g = learned.g;
  if (evaluated.n(1) != spaces.n(1)) {
    const Pair pair = spaces.lifted_between(evaluated, spaces, trained.alignment, epsilon);
    const ShardedPairs<double> points(pair, {}, Storage::streamed, context);
    g.resize(index(points.m()));
    points.transform_to_y(learned.f, g);
  }
  add_potentials(spaces, trained.alignment,
                 gather_rows(f, spaces.n(0), context.world, "potentials"), std::move(g), result,
                 context);
}

/// Alternation from what was learned: an upper bound, and how far A still goes.
void certify(const EgwConfig& config, const neural::NeuralConfig& training, const Spaces& evaluated,
             const Trained& trained, Learned learned, double epsilon, Result& result,
             Context& context) {
  const sinkhorn::SinkhornConfig solves = certificate_solves(training);
  EgwConfig few = config;
  few.epsilon_decay.reset();
  CheckpointScope nowhere;
  Alternation alternation(evaluated, few, solves, epsilon, "certificate", nowhere, context);
  Solved solved(evaluated, {trained.alignment, evaluated.n(1)});
  Iterate& at = solved.at;
  at.g = std::move(learned.g);
  const Alignment found = alternation.run(at);
  solved.f = gather_rows(found.solution.f, evaluated.n(0), context.world, "potentials");
  solved.g = found.solution.g;
  const Evaluated value = evaluate(evaluated, solved, epsilon, trained.report.steps, {}, context);
  put_value(evaluated, value, epsilon, result);
  Record certificate;
  certificate.set("learned_value", learned.value, "of the network and its transform, at its A");
  certificate.set("dual_value_at_alignment", value.dual_value,
                  "lower bound of the value at the A that the iterations end at");
  certificate.set("upper_value", value.objective, "objective of the rounded plan");
  certificate.set("alignment_steps", at.step);
  certificate.set("iterations", at.iterations);
  certificate.set("alignment_norm", norm_of(at.alignment));
  certificate.set("alignment_change", distance(at.alignment, trained.alignment),
                  "|A - the learned A|");
  certificate.set("stationarity", distance(at.alignment, found.half_moment), "|A - E[x y^T] / 2|");
  result.own.set("certificate", certificate,
                 "what alternation from the learned potential and A "
                 "comes to, on the evaluated points");
  const double gap = relative_gap(learned.value, value.objective);
  result.own.set_if_finite("relative_gap", gap, "of learned_value to the objective");
  const bool is_learned = std::abs(gap) <= training.gap_tolerance;
  result.converged = is_learned && found.solution.converged &&
                     (!evaluated.has_alignment() || at.change <= config.tolerance);
  if (*result.converged) return;
  result.advice.push_back(
      is_learned ? concat("not converged: the certificate's own A and marginals miss their "
                          "tolerances; raise solver.neural.certificate_iterations or "
                          "solver.egw.max_steps")
                 : concat("not converged: the learned value is ", format_digits(gap, 2),
                          " of the objective away from it (solver.neural.gap_tolerance ",
                          format_digits(training.gap_tolerance, 7),
                          "); in a new --out, raise solver.neural.steps or .batch"));
}

template <class T>
Result solve_in(const EgwConfig& config, const neural::NeuralConfig& training,
                const Problem& problem, Context& context) {
  const double start = monotonic_seconds();
  const double epsilon = problem.epsilon;
  const Spaces spaces(problem);
  check_number_range(spaces, epsilon, context);
  CheckpointScope run(context.checkpoints);
  CheckpointScope scope(run, "egw", 0);
  const Trials trials = try_starts(spaces.subsample(config.start_points, context.run.seed), config,
                                   sinkhorn::SinkhornConfig{}, epsilon, scope, context);
  std::vector<double> best(
      trials.alignments.begin(),
      trials.alignments.begin() + static_cast<std::ptrdiff_t>(spaces.size_of_alignment()));
  Pair points = spaces.points(spaces);
  points.epsilon = epsilon;
  CheckpointScope training_scope(scope, "training", 0);
  const Trained trained =
      train<T>(config, training, spaces, points, std::move(best), training_scope, context);
  const double trained_s = monotonic_seconds();
  Result result;
  result.iterations = trained.report.steps;
  result.own.set("steps", trained.report.steps, "of the potential and of A");
  result.own.set("skipped_steps", trained.report.skipped);
  try {
    const Spaces evaluated = training.evaluation_points > 0
                                 ? spaces.subsample(training.evaluation_points, context.run.seed)
                                 : spaces;
    if (evaluated.n(0) != spaces.n(0) || evaluated.n(1) != spaces.n(1)) {
      result.own.set("evaluation_points", std::vector{evaluated.n(0), evaluated.n(1)},
                     "points per marginal, where fewer than all were used");
    }
    Learned found = learned<T>(trained, spaces, evaluated, epsilon, context);
    result.own.set("learned_value", found.value, "of the network and its transform, at its A");
    put_alignment(spaces, trials, config, trained.alignment, result);
    add_learned<T>(trained, spaces, found, evaluated, epsilon, result, context);
    if (training.certificate_iterations > 0) {
      certify(config, training, evaluated, trained, std::move(found), epsilon, result, context);
    }
  } catch (const Stopped&) {
    throw Stopped(trained.report.steps);  // the end of the training is saved
  }
  result.tensors = trained.potential.tensors();
  result.model = trained.potential.description();
  result.seconds.solve = trained_s - start;
  result.seconds.certificate = monotonic_seconds() - trained_s;
  return result;
}

}  // namespace

Result solve_neural(const EgwConfig& config, const neural::NeuralConfig& training,
                    const Problem& problem, Context& context) {
  return in_precision(context,
                      [&]<class T>() { return solve_in<T>(config, training, problem, context); });
}

}  // namespace kantor::egw
