#include "solvers/registry.hpp"

#include <algorithm>

#include "runtime/core/process.hpp"
#include "runtime/core/text.hpp"
#include "solvers/device/device_soft_min.hpp"
#include "solvers/problem/kind.hpp"

namespace kantor {

namespace {

template <class T>
void add_once(const T& item, std::vector<T>& list) {
  if (std::ranges::find(list, item) == list.end()) list.push_back(item);
}

std::vector<const TableEntry*> all_tables() {
  std::vector<const TableEntry*> tables;
  for (const SolverEntry* entry : solvers()) {
    for (const TableEntry* table : entry->tables) add_once(table, tables);
  }
  return tables;
}

/// Of all solvers, each once.
std::vector<std::string> all(const char* SolverEntry::*name) {
  std::vector<std::string> names;
  for (const SolverEntry* entry : solvers()) add_once(std::string(entry->*name), names);
  return names;
}

/// Null: none of that name solves that kind.
const SolverEntry* find_entry(const std::string& kind, const std::string& name) {
  for (const SolverEntry* entry : solvers()) {
    if (kind == entry->kind && name == entry->name) return entry;
  }
  return nullptr;
}

/// What the solver needs is offered; or who does without it.
void check_needs(const SolverEntry& entry, const ProblemConfig& problem) {
  std::vector<std::string> others;
  for (const SolverEntry* other : solvers()) {
    const bool is_able = other->needs.without(offered_by(problem)).is_empty();
    if (is_able && problem.kind == other->kind) others.push_back(concat('"', other->name, '"'));
  }
  require(entry.needs, problem, concat("solver.name = \"", entry.name, '"'),
          others.empty() ? "no solver does without"
                         : concat("use solver.name = ", join(others, " or ")));
}

/// The kernels that a run on a GPU takes.
void use_device(Context& context) {
  if (context.run.device == "cuda") context.pair_reducer = &device_soft_min();
}

}  // namespace

const SolverEntry& entry_of(const Configuration& configuration) {
  const std::string& kind = configuration.problem.kind;
  if (const auto* entry = find_entry(kind, configuration.solver)) return *entry;
  const std::vector<std::string> kinds = all(&SolverEntry::kind);
  if (std::ranges::find(kinds, kind) == kinds.end()) {
    throw ConfigError(concat("no solver solves problem.kind = \"", kind,
                             "\" yet; kinds with solvers: ", join(kinds)));
  }
  throw ConfigError(concat("solver.name = \"", configuration.solver,
                           "\" does not solve problem.kind = \"", kind, '"'));
}

void Configuration::describe(config::Fields& fields) {
  fields.add_struct("problem", problem, "marginals, cost and epsilon");
  fields.add_table("solver", "which solver runs, and the tables of all",
                   [&](config::Fields& inner) {
                     inner.add_choice("name", solver, all(&SolverEntry::name), "which solver runs");
                     for (const TableEntry* table : all_tables()) {
                       inner.add_table(table->name, table->meaning,
                                       [&](config::Fields& keys) { table->read(keys, tables); });
                     }
                   });
  fields.add_struct("run", run, "seed, precision, ranks, threads and checkpoints");
}

Configuration read_configuration(const config::Value& given, config::Value& resolved) {
  config::refuse_unknown_keys(given, "", {"problem", "solver", "run"});
  auto configuration = config::read<Configuration>(given, "", resolved);
  const SolverEntry& entry = entry_of(configuration);
  check_needs(entry, configuration.problem);
  entry.check({configuration.problem, configuration.run, configuration.tables});
  return configuration;
}

std::vector<config::Key> known_keys() {
  std::vector<config::Key> keys;
  config::list_keys<Configuration>("", keys);
  return keys;
}

Result solve(const Configuration& configuration, const Problem& problem, Context& context) {
  use_device(context);
  const double start = monotonic_seconds();
  Result result = entry_of(configuration).solve(configuration.tables, problem, context);
  result.kind = problem.kind->name;
  result.solver = configuration.solver;
  result.cost = problem.cost.name;
  result.epsilon = problem.epsilon;
  result.epsilon_relative = problem.epsilon / problem.statistics.mean;
  for (const Cloud& cloud : problem.clouds) {
    result.n.push_back(cloud.n());
    if (!problem.cost.file) result.d.push_back(cloud.d());
  }
  result.reference = problem.reference;
  result.seconds.total = monotonic_seconds() - start;
  return result;
}

std::vector<Line> own_lines(const Record& result) {
  const auto text = [&](const char* key) { return result.find_as<std::string>(key).value_or(""); };
  const SolverEntry* entry = find_entry(text("kind"), text("solver"));
  return entry == nullptr ? std::vector<Line>() : entry->lines(result);
}

std::string describe_plan(const Configuration& configuration, const Problem& problem,
                          Context& context) {
  use_device(context);
  const std::string of_mean_cost =
      problem.cost.has_forbidden_pairs
          ? ""
          : concat(" (", format_number(problem.epsilon / problem.statistics.mean),
                   " of the mean cost)");
  return concat(problem.kind->name, " by ", configuration.solver, ": ",
                problem.kind->sizes(problem), ", cost ", problem.cost.name, ", epsilon ",
                format_number(problem.epsilon), of_mean_cost, "\n", context.world.size(),
                context.world.size() == 1 ? " rank (" : " ranks (", context.world.backend_name(),
                "), ", context.pool.num_threads(), " threads each, ", context.run.precision,
                entry_of(configuration).holds(configuration.tables, problem, context));
}

}  // namespace kantor
