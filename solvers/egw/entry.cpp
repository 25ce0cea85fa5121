#include "solvers/egw/entry.hpp"

#include "runtime/core/text.hpp"
#include "solvers/egw/fitted_alignment.hpp"
#include "solvers/egw/neural_egw.hpp"
#include "solvers/egw/sinkhorn_egw.hpp"
#include "solvers/neural/entry.hpp"
#include "solvers/neural/neural_eot.hpp"
#include "solvers/problem/open_marginals.hpp"
#include "solvers/sinkhorn/entry.hpp"

namespace kantor::egw {

namespace {

constexpr const TableEntry* kSinkhornTables[] = {&kTable, &sinkhorn::kTable};
constexpr const TableEntry* kNeuralTables[] = {&kTable, &neural::kTable};

void check_starts(const EgwConfig& config) {
  if (config.continued <= config.starts) return;
  throw ConfigError(concat("solver.egw.continued is ", config.continued, ", but only ",
                           config.starts, " starts are tried (solver.egw.starts)"));
}

/// Its solves read [solver.sinkhorn], but not all of it.
void check(const Selection& selection) {
  const auto& solves = selection.tables.get<sinkhorn::SinkhornConfig>();
  const auto& config = selection.tables.get<EgwConfig>();
  sinkhorn::check_storage(selection);
  const auto refuse = [](const char* key, const char* why) {
    throw ConfigError(concat("solver.sinkhorn.", key, " is given, but problem.kind = \"egw\" ", why,
                             "; leave it out"));
  };
  if (solves.divergence) refuse("divergence", "has solver.egw.debiased");
  if (!solves.warm_start.empty()) refuse("warm_start", "has starts of its own, solver.egw.starts");
  if (!(solves.tolerance > 0)) {
    throw ConfigError(
        "solver.sinkhorn.tolerance is 0, but problem.kind = \"egw\" solves to a tolerance; give a "
        "positive number");
  }
  check_starts(config);
}

void check_neural(const Selection& selection) {
  const auto& config = selection.tables.get<EgwConfig>();
  check_starts(config);
  const auto refuse = [](const char* key, const char* why) {
    throw ConfigError(concat("solver.egw.", key, " is given, but solver.name = \"neural\" ", why,
                             "; leave it out, or use solver.name = \"sinkhorn\""));
  };
  if (config.debiased) refuse("debiased", "trains on one pair of marginals");
  if (config.continued != 1) refuse("continued", "trains from the best start");
}

std::string holds(const Tables& tables, const Problem& problem, Context& context) {
  return storage_of(tables.get<sinkhorn::SinkhornConfig>(), problem, context);
}

Result solve_egw(const Tables& tables, const Problem& problem, Context& context) {
  tell_of_unused_holdout(problem, context);
  return solve(tables.get<EgwConfig>(), tables.get<sinkhorn::SinkhornConfig>(), problem, context);
}

std::string holds_neural(const Tables& tables, const Problem& problem, Context& context) {
  const auto& config = tables.get<neural::NeuralConfig>();
  neural::check_room_for_batch(config, problem, context);
  return concat(", about ", format_bytes(neural::bytes_per_rank(config, problem, context)),
                " per rank");
}

Result solve_by_network(const Tables& tables, const Problem& problem, Context& context) {
  return solve_neural(tables.get<EgwConfig>(), tables.get<neural::NeuralConfig>(), problem,
                      context);
}

}  // namespace

constinit const TableEntry kTable{.name = "egw",
                                  .meaning = "the alignment of entropic Gromov-Wasserstein",
                                  .read = read_table<EgwConfig>};

constinit const SolverEntry kNeural{.kind = "egw",
                                    .name = "neural",
                                    .meaning = "a potential network and the alignment by turns",
                                    .tables = kNeuralTables,
                                    .needs = {},
                                    .check = check_neural,
                                    .holds = holds_neural,
                                    .solve = solve_by_network,
                                    .lines = lines_of,
                                    .restore = restore<FittedAlignment>};

constinit const SolverEntry kSinkhorn{.kind = "egw",
                                      .name = "sinkhorn",
                                      .meaning = "alignment and sharded Sinkhorn by turns",
                                      .tables = kSinkhornTables,
                                      .needs = {},
                                      .check = check,
                                      .holds = holds,
                                      .solve = solve_egw,
                                      .lines = lines_of,
                                      .restore = restore<FittedAlignment>};

}  // namespace kantor::egw
