#include "solvers/sinkhorn/entry.hpp"

#include "solvers/eot/fitted_pairs.hpp"
#include "solvers/eot/storage/plan.hpp"
#include "solvers/problem/open_marginals.hpp"
#include "solvers/sinkhorn/sinkhorn.hpp"
#include "solvers/sinkhorn/warm_start.hpp"

namespace kantor::sinkhorn {

namespace {

constexpr const TableEntry* kTables[] = {&kTable};

void check(const Selection& selection) {
  const auto& config = selection.tables.get<SinkhornConfig>();
  check_storage(selection);
  if (config.warm_start == "gaussian") {
    require({Feature::gaussian_form}, selection.problem,
            "solver.sinkhorn.warm_start = \"gaussian\"", "use \"subsample\"");
  }
  if (config.divergence) {
    require({Feature::held_marginals, Feature::costs_within_marginals}, selection.problem,
            "solver.sinkhorn.divergence", "leave it out");
  }
}

std::string holds(const Tables& tables, const Problem& problem, Context& context) {
  return storage_lines(storage_plans(tables.get<SinkhornConfig>(), problem, context));
}

Result solve_eot(const Tables& tables, const Problem& problem, Context& context) {
  tell_of_unused_holdout(problem, context);
  return solve(tables.get<SinkhornConfig>(), problem, context);
}

}  // namespace

constinit const TableEntry kTable{.name = "sinkhorn",
                                  .meaning = "sharded log-domain Sinkhorn",
                                  .read = read_table<SinkhornConfig>};

constinit const SolverEntry kEot{.kind = "eot",
                                 .name = "sinkhorn",
                                 .meaning = "sharded log-domain Sinkhorn",
                                 .tables = kTables,
                                 .needs = {},
                                 .check = check,
                                 .check_start =
                                     [](const Tables& tables, const Problem& problem) {
                                       return check_start(tables.get<SinkhornConfig>(), problem);
                                     },
                                 .holds = holds,
                                 .solve = solve_eot,
                                 .lines = lines_of,
                                 .restore = restore<FittedPairs>};

void check_storage(const Selection& selection) {
  const auto& config = selection.tables.get<SinkhornConfig>();
  const std::string key = concat("solver.sinkhorn.storage = \"", config.storage, "\"");
  if (config.storage == "streamed") {
    require({Feature::points}, selection.problem, key, "use \"auto\"");
  }
  if (!config.storage.starts_with("absorbed")) return;
  if (selection.run.device == "cuda") {
    throw ConfigError(concat(key, " keeps its kernel in the host's memory; use \"auto\" with ",
                             "run.device = \"cuda\""));
  }
  require({Feature::held_marginals}, selection.problem, key, "use \"auto\"");
  const bool is_relaxed = config.momentum.weight != 1 && !config.momentum.is_adaptive;
  if (config.storage == "absorbed16" && is_relaxed) {
    throw ConfigError(concat(key, " is read by plain updates alone, so that ",
                             "solver.sinkhorn.momentum would never use it; take \"auto\", ",
                             "\"absorbed\" or momentum = \"adaptive\""));
  }
}

}  // namespace kantor::sinkhorn
