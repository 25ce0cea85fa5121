#include "solvers/progot/entry.hpp"

#include "solvers/problem/open_marginals.hpp"
#include "solvers/progot/fitted_maps.hpp"
#include "solvers/progot/plans.hpp"
#include "solvers/progot/progot.hpp"
#include "solvers/sinkhorn/entry.hpp"

namespace kantor::progot {

namespace {

constexpr const TableEntry* kTables[] = {&kTable, &sinkhorn::kTable};

/// Its solves read [solver.sinkhorn], but not all of it.
void check(const Selection& selection) {
  const auto& solves = selection.tables.get<sinkhorn::SinkhornConfig>();
  sinkhorn::check_storage(selection);
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

std::string holds(const Tables& tables, const Problem& problem, Context& context) {
  return storage_lines(storage_plans(tables.get<ProgotConfig>(),
                                     tables.get<sinkhorn::SinkhornConfig>(), problem, context));
}

Result solve_eot(const Tables& tables, const Problem& problem, Context& context) {
  tell_of_unused_holdout(problem, context);
  return solve(tables.get<ProgotConfig>(), tables.get<sinkhorn::SinkhornConfig>(), problem,
               context);
}

}  // namespace

constinit const TableEntry kTable{.name = "progot",
                                  .meaning = "Sinkhorn solves between which the source moves",
                                  .read = read_table<ProgotConfig>};

constinit const SolverEntry kEot{
    .kind = "eot",
    .name = "progot",
    .meaning = "Sinkhorn solves between which the source moves",
    .tables = kTables,
    .needs = {Feature::points, Feature::entropic_map, Feature::held_marginals},
    .check = check,
    .holds = holds,
    .solve = solve_eot,
    .lines = lines_of,
    .restore = restore<FittedMaps>};

}  // namespace kantor::progot
