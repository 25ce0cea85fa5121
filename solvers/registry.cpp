#include "solvers/registry.hpp"

#include <array>
#include <cmath>

#include "runtime/core/error.hpp"
#include "runtime/core/process.hpp"
#include "runtime/core/text.hpp"
#include "solvers/device/device_soft_min.hpp"
#include "solvers/neural/neural_eot.hpp"
#include "solvers/problem/gaussian.hpp"
#include "solvers/progot/plans.hpp"
#include "solvers/progot/progot.hpp"
#include "solvers/sinkhorn/sinkhorn.hpp"

namespace kantor {

namespace {

struct Entry {
  const char* kind;
  const char* solver;
  Result (*solve)(const Configuration&, const Problem&, Context&);
  /// What it holds on each rank. Collective.
  std::string (*memory)(const Configuration&, const Problem&, Context&);
};

std::string storage_text(const std::vector<StoragePlan>& plans) {
  std::string text;
  for (const StoragePlan& plan : plans) {
    text += concat(text.empty() ? "\nstorage " : "\nof a cloud against itself ",
                   plan.text("by a table of rates"));
  }
  return text;
}

/// The kernels that a run on a GPU takes.
void use_device(Context& context) {
  if (context.run.device == "cuda") context.device_soft_min = &device_soft_min();
}

constexpr std::array kSolvers = {
    Entry{"eot", "neural",
          [](const Configuration& c, const Problem& p, Context& context) {
            return neural::solve(c.neural, p, context);
          },
          [](const Configuration& c, const Problem& p, Context& context) {
            neural::check_room_for_batch(c.neural, p, context);
            return concat(", about ", format_bytes(neural::bytes_per_rank(c.neural, p, context)),
                          " per rank");
          }},
    Entry{"eot", "sinkhorn",
          [](const Configuration& c, const Problem& p, Context& context) {
            return sinkhorn::solve(c.sinkhorn, p, context);
          },
          [](const Configuration& c, const Problem& p, Context& context) {
            return storage_text(sinkhorn::storage_plans(c.sinkhorn, p, context));
          }},
    Entry{"eot", "progot",
          [](const Configuration& c, const Problem& p, Context& context) {
            return progot::solve(c.progot, c.sinkhorn, p, context);
          },
          [](const Configuration& c, const Problem& p, Context& context) {
            return storage_text(progot::storage_plans(c.progot, c.sinkhorn, p, context));
          }},
};

const Entry& entry_of(const Configuration& configuration) {
  for (const Entry& entry : kSolvers) {
    if (configuration.problem.kind == entry.kind && configuration.solver == entry.solver)
      return entry;
  }
  throw ConfigError(concat("solver.name = \"", configuration.solver,
                           "\" does not solve problem.kind = \"", configuration.problem.kind,
                           "\""));
}

/// What needs points cannot have a matrix.
void check_matrix(const Configuration& configuration) {
  if (configuration.solver != "sinkhorn") {
    throw ConfigError(concat("problem.cost = \"matrix\" has no points, which solver.name = \"",
                             configuration.solver, "\" needs; use solver.name = \"sinkhorn\""));
  }
  if (configuration.sinkhorn.divergence) {
    throw ConfigError(
        "solver.sinkhorn.divergence needs costs within each marginal, which problem.cost = "
        "\"matrix\" "
        "does not give; leave it out");
  }
  if (configuration.sinkhorn.storage == "streamed") {
    throw ConfigError(
        "solver.sinkhorn.storage = \"streamed\" makes costs from points, but problem.cost = "
        "\"matrix\" "
        "has none; use \"auto\"");
  }
}

/// ProgOT's solves read [solver.sinkhorn], but not all of it.
void check_progot(const sinkhorn::SinkhornConfig& solves) {
  const auto refuse = [](const char* key, const char* why) {
    throw ConfigError(concat("solver.sinkhorn.", key, " is given, but solver.name = \"progot\" ",
                             why, "; leave it out, or use solver.name = \"sinkhorn\""));
  };
  if (solves.divergence) refuse("divergence", "computes none");
  if (solves.epsilon_decay) refuse("epsilon_decay", "solves each step at one epsilon");
  if (!solves.warm_start.empty()) {
    refuse("warm_start", "starts at 0, and each step from the one before");
  }
}

/// Updates that never read the absorbed kernel.
void check_absorbed(const Configuration& configuration) {
  const sinkhorn::SinkhornConfig& solves = configuration.sinkhorn;
  if (configuration.solver == "neural" || !solves.storage.starts_with("absorbed")) return;
  const bool is_coded = solves.storage == "absorbed16";
  const bool is_relaxed = is_coded && solves.momentum.weight != 1 && !solves.momentum.is_adaptive;
  if (!is_relaxed && configuration.problem.rho.is_balanced()) return;
  throw ConfigError(concat(
      "solver.sinkhorn.storage = \"", solves.storage, "\" is read by ", is_coded ? "plain " : "",
      "updates between exact marginals alone, so that ",
      is_relaxed ? "solver.sinkhorn.momentum" : "problem.rho", " would never use it; take \"auto\"",
      is_relaxed && configuration.problem.rho.is_balanced()
          ? ", \"absorbed\" or momentum = \"adaptive\""
          : ""));
}

/// Keys of one table that another one does not go with.
void check_together(const Configuration& configuration) {
  if (!configuration.problem.rho.is_balanced() && configuration.solver != "sinkhorn") {
    throw ConfigError(concat("problem.rho is given, but solver.name = \"", configuration.solver,
                             "\" holds both marginals exactly; use solver.name = \"sinkhorn\""));
  }
  if (configuration.problem.cost == "matrix") check_matrix(configuration);
  if (configuration.solver == "progot" && configuration.problem.cost == "cosine") {
    throw ConfigError(
        "solver.name = \"progot\" moves points along entropic maps, and problem.cost = \"cosine\" "
        "has "
        "none; use sinkhorn, or half_sqeuclidean of points of unit length");
  }
  if (configuration.run.device == "cuda" && configuration.solver != "neural" &&
      configuration.sinkhorn.storage.starts_with("absorbed")) {
    throw ConfigError(concat("solver.sinkhorn.storage = \"", configuration.sinkhorn.storage,
                             "\" keeps its kernel in the host's memory; use \"auto\" with "
                             "run.device = \"cuda\""));
  }
  check_absorbed(configuration);
  if (configuration.solver == "progot") check_progot(configuration.sinkhorn);
  if (configuration.solver != "sinkhorn") return;
  const std::string& cost = configuration.problem.cost;
  if (configuration.sinkhorn.warm_start == "gaussian" &&
      (cost == "matrix" || !has_gaussian_form(cost_kind(cost)))) {
    throw ConfigError(
        concat("solver.sinkhorn.warm_start = \"gaussian\" is known for sqeuclidean, "
               "half_sqeuclidean, dot and cosine, not for problem.cost = \"",
               cost, "\"; use \"subsample\""));
  }
  if (configuration.sinkhorn.divergence && !configuration.problem.rho.is_balanced()) {
    throw ConfigError(
        "solver.sinkhorn.divergence is of marginals that are held exactly; leave out problem.rho, "
        "or "
        "the divergence");
  }
}

/// [solver]: the name, beside the tables of the solvers.
struct SolverTable {
  std::string name = "neural";
  neural::NeuralConfig neural;
  sinkhorn::SinkhornConfig sinkhorn;
  progot::ProgotConfig progot;

  void describe(config::Fields& fields) {
    fields.add_choice("name", name, {"neural", "sinkhorn", "progot"}, "which solver runs");
    fields.add_struct("neural", neural, "one potential network on the semi-dual");
    fields.add_struct("sinkhorn", sinkhorn, "sharded log-domain Sinkhorn");
    fields.add_struct("progot", progot, "Sinkhorn solves between which the source moves");
  }
  void check() const {
    neural.check();
    sinkhorn.check();
    progot.check();
  }
};

}  // namespace

Configuration read_configuration(const config::Value& given, config::Value& resolved) {
  config::refuse_unknown_keys(given, "", {"problem", "solver", "run"});
  Configuration configuration;
  configuration.problem = config::read<ProblemConfig>(given, "problem", resolved);
  const SolverTable solvers = config::read<SolverTable>(given, "solver", resolved);
  configuration.solver = solvers.name;
  configuration.neural = solvers.neural;
  configuration.sinkhorn = solvers.sinkhorn;
  configuration.progot = solvers.progot;
  configuration.run = config::read<RunConfig>(given, "run", resolved);
  entry_of(configuration);
  check_together(configuration);
  if (configuration.solver == "progot") progot::check_cost(cost_kind(configuration.problem.cost));
  return configuration;
}

Result solve(const Configuration& configuration, const Problem& problem, Context& context) {
  use_device(context);
  const double start = monotonic_seconds();
  Result result = entry_of(configuration).solve(configuration, problem, context);
  result.kind = problem.kind;
  result.solver = configuration.solver;
  result.cost = cost_name(problem);
  result.epsilon = problem.epsilon;
  result.epsilon_relative = problem.epsilon / problem.mean_cost;
  for (const data::Marginal& marginal : problem.marginals) {
    result.n.push_back(marginal.n());
    if (!problem.cost_matrix) result.d.push_back(marginal.d());
  }
  result.reference = problem.reference;
  result.seconds.total = monotonic_seconds() - start;
  return result;
}

std::string describe_plan(const Configuration& configuration, const Problem& problem,
                          Context& context) {
  use_device(context);
  const std::string of_mean_cost =
      problem.has_forbidden_pairs
          ? ""
          : concat(" (", format_number(problem.epsilon / problem.mean_cost), " of the mean cost)");
  return concat(problem.kind, " by ", configuration.solver, ": ", problem.n(0), " x ", problem.n(1),
                " points, ", problem.cost_matrix ? "" : concat("d = ", problem.d(), ", "), "cost ",
                cost_name(problem), ", epsilon ", format_number(problem.epsilon), of_mean_cost,
                "\n", context.world.size(), context.world.size() == 1 ? " rank (" : " ranks (",
                context.world.backend_name(), "), ", context.pool.num_threads(), " threads each, ",
                context.run.precision,
                entry_of(configuration).memory(configuration, problem, context));
}

}  // namespace kantor
