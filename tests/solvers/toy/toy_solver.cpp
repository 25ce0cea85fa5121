#include <torch/torch.h>

#include <cmath>
#include <utility>

#include "distributed/collectively.hpp"
#include "distributed/device.hpp"
#include "distributed/shards.hpp"
#include "distributed/trainer.hpp"
#include "runtime/core/index.hpp"
#include "runtime/core/text.hpp"
#include "solvers/eot/fitted_pairs.hpp"
#include "solvers/eot/gauge.hpp"
#include "solvers/eot/storage/plan.hpp"
#include "solvers/neural/network.hpp"
#include "solvers/sinkhorn/entry.hpp"
#include "solvers/sinkhorn/oracle.hpp"
#include "solvers/sinkhorn/sinkhorn.hpp"
#include "tests/solvers/toy/toy.hpp"

// Shapes: N points x, M points y, D dimensions, N_r rows of a cloud on this rank.

namespace kantor::toy {

namespace {

using sinkhorn::SinkhornConfig;

/// What the solves have found; the same on all ranks.
struct Solved {
  std::vector<double> f;  ///< [N]
  std::vector<double> g;  ///< [M]
  std::int64_t iterations = 0;
  bool converged = false;
  double dual_value = 0, transport_cost = 0, kl = 0;
  std::vector<double> marginal_error = {0, 0};

  void describe(const StateFields& fields) {
    fields.add("f", f);
    fields.add("g", g);
    fields.add("iterations", iterations);
    fields.add("converged", converged);
    fields.add("dual_value", dual_value);
    fields.add("transport_cost", transport_cost);
    fields.add("kl", kl);
    fields.add("marginal_error", marginal_error);
  }
};

/// [N_r] of each rank -> [N] on all of them.
std::vector<double> gathered(std::vector<double> mine, std::int64_t n, Communicator& world) {
  const std::size_t slots = index(shard_of(n, world.rank(), world.size()).slots);
  mine.resize(slots);
  std::vector<double> all(slots * index(world.size()));
  world.all_gather<double>(mine, all, "potentials");
  all.resize(index(n));
  return all;
}

/// One after the other, each in a scope of its own: a run that was stopped in the second goes on
/// there, from what the first has found.
Solved solve_pairs(const SinkhornConfig& config, const Problem& problem, CheckpointScope& run,
                   Context& context) {
  const auto oracle = sinkhorn::make_oracle(config, run, context);
  Pair pair = pair_of(problem);
  Solved solved{.f = std::vector<double>(index(problem.n(0))),
                .g = std::vector<double>(index(problem.n(1)))};
  for (const auto& [name, multiple] :
       {std::pair{"annealed", terms_of(problem).anneal}, std::pair{"solve", 1.0}}) {
    bool is_found = false;
    collectively(context.world, "restoring a solve",
                 [&, name = name] { is_found = run.found(name, solved); });
    if (is_found) continue;
    CheckpointScope scope(run, name, solved.iterations);
    pair.epsilon = multiple * problem.epsilon;
    std::vector<double> start = solved.iterations == 0 ? std::vector<double>() : solved.g;
    const EotOracle::Solution solution =
        oracle->solve(pair, std::move(start), config.tolerance, scope);
    const PlanValue value = oracle->value(solution);
    solved = {gathered(solution.f, problem.n(0), context.world),
              solution.g,
              solved.iterations + solution.iterations,
              solution.converged,
              value.dual_value,
              value.transport_cost,
              value.kl,
              value.marginal_error};
    run.ended(name, solved);
  }
  fix_gauge(problem.clouds[0].marginal.weights(), solved.f, solved.g);
  return solved;
}

/// A network, and what it learns at this rank's rows of a cloud.
struct Side {
  std::unique_ptr<neural::Network> network;
  FlatParameters parameters;
  at::Tensor points;   ///< [N_r, D]
  at::Tensor weights;  ///< [N_r]
  at::Tensor targets;  ///< [N_r]
};

Side make_side(const ToyConfig& config, const data::Marginal& marginal,
               const std::vector<double>& potential, std::int64_t seed, Context& context) {
  const auto type = context.run.is_double() ? torch::kFloat64 : torch::kFloat32;
  const auto options = torch::dtype(type).device(device_of(context.run, context.world));
  const Shard rows = shard_of(marginal.n(), context.world.rank(), context.world.size());
  std::vector<double> points(index(rows.count() * marginal.d()));
  marginal.read_range<double>(rows.first, rows.count(), {}, points.data());
  const std::vector<double> weights = marginal.weights();
  const auto own = [&](const std::vector<double>& all) {
    return torch::tensor(std::vector<double>(all.begin() + rows.first, all.begin() + rows.last),
                         torch::kFloat64)
        .to(options);
  };
  auto network =
      neural::make_network(config.network, marginal.d(), options, static_cast<std::uint64_t>(seed));
  FlatParameters parameters(network->parameters());
  return {std::move(network), std::move(parameters),
          torch::tensor(points, torch::kFloat64).view({rows.count(), marginal.d()}).to(options),
          own(weights), own(potential)};
}

/// Least squares of each network under its marginal.
class Distillation final : public Objective {
 public:
  explicit Distillation(std::vector<Side>& sides) : sides_(sides) {}

  LocalLoss evaluate(const StepId& id) override {
    const Side& side = sides_[id.group];
    const at::Tensor missing = side.network->forward(side.points, tape_) - side.targets;
    side.network->backward(tape_, 2 * side.weights * missing);
    return {.value = side.weights.dot(missing.square()).to(torch::kFloat64),
            .count = static_cast<double>(side.points.size(0))};
  }
  std::string remedy(std::size_t /*group*/) const override {
    return "lower solver.toy.learning_rate";
  }
  /// Root mean square of what each network misses. Collective.
  std::vector<double> fit_error(Communicator& world) {
    std::vector<double> squares;
    for (const Side& side : sides_) {
      const at::Tensor missing = side.network->forward(side.points, tape_) - side.targets;
      squares.push_back(side.weights.dot(missing.square()).item<double>());
    }
    world.all_reduce<double>(squares, ReduceOp::sum, "what networks miss");
    for (double& square : squares) square = std::sqrt(square);
    return squares;
  }

 private:
  std::vector<Side>& sides_;
  neural::Tape tape_;
};

Result solve(const Tables& tables, const Problem& problem, Context& context) {
  const auto& config = tables.get<ToyConfig>();
  CheckpointScope run(context.checkpoints);
  Solved solved = solve_pairs(tables.get<SinkhornConfig>(), problem, run, context);

  std::vector<Side> sides;
  for (std::size_t k = 0; k < 2; ++k) {
    sides.push_back(make_side(config, problem.clouds[k].marginal, k == 0 ? solved.f : solved.g,
                              context.run.seed + static_cast<std::int64_t>(k), context));
  }
  Distillation objective(sides);
  CheckpointScope scope(run, "training", solved.iterations);
  const TrainingReport training =
      Trainer(config.training, objective,
              {{"first", sides[0].parameters, config.training.optimizer},
               {"second", sides[1].parameters, config.training.optimizer}},
              {{.group = 0, .repeats = config.repeats}, {.group = 1}}, context, &scope)
          .run();

  Result result;
  result.iterations = solved.iterations;
  result.converged = solved.converged;
  result.transport_cost = solved.transport_cost;
  result.kl = solved.kl;
  result.objective = solved.transport_cost + problem.epsilon * solved.kl;
  result.dual_value = solved.dual_value;
  result.marginal_error = solved.marginal_error;
  result.own.set("steps", training.steps);
  result.own.set("fit_error", objective.fit_error(context.world),
                 "root mean square of what each network misses");
  if (context.world.rank() == 0) {
    result.add_potentials(run_files::kPotentials, {std::move(solved.f), std::move(solved.g)});
  }
  return result;
}

constexpr const TableEntry* kTables[] = {&kTable, &sinkhorn::kTable};

std::string holds(const Tables& tables, const Problem& problem, Context& context) {
  return storage_lines(sinkhorn::storage_plans(tables.get<SinkhornConfig>(), problem, context));
}

std::vector<Line> lines_of(const Record& result) {
  const auto errors = result.find_as<std::vector<double>>("fit_error");
  if (!errors || errors->size() != 2) return {};
  return {{"networks", concat("miss ", format_digits(errors->at(0), 2), " and ",
                              format_digits(errors->at(1), 2), " (root mean square)")}};
}

}  // namespace

void ToyConfig::describe(config::Fields& fields) {
  training.describe(fields);
  fields.add_struct("network", network, "of each potential");
  fields.add("repeats", repeats, "steps of the first network to one of the second").at_least(1);
}

constinit const TableEntry kTable{.name = "toy",
                                  .meaning = "two networks that learn potentials in turns",
                                  .read = read_table<ToyConfig>};

constinit const SolverEntry kSolver{.kind = "toy",
                                    .name = "toy",
                                    .meaning = "Sinkhorn, then a network for each potential",
                                    .tables = kTables,
                                    .needs = {Feature::points, Feature::held_marginals},
                                    .check = sinkhorn::check_storage,
                                    .holds = holds,
                                    .solve = solve,
                                    .lines = lines_of,
                                    .restore = restore<FittedPairs>};

}  // namespace kantor::toy
