#pragma once

// What a solver tells the program. Each defines its entry in its own folder.

#include <any>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "distributed/context.hpp"
#include "runtime/config/reader.hpp"
#include "runtime/core/error.hpp"
#include "solvers/fitted.hpp"
#include "solvers/problem/features.hpp"
#include "solvers/problem/problem.hpp"
#include "solvers/result.hpp"
#include "solvers/stored_run.hpp"

namespace kantor {

/// The tables [solver.NAME], each by the type of its struct. All of them are read and checked,
/// whichever solver runs.
class Tables {
 public:
  template <class Config>
  const Config& get() const {
    for (const std::any& table : tables_) {
      if (const auto* config = std::any_cast<Config>(&table)) return *config;
    }
    throw NumericError("a solver asks for a table that no entry lists");
  }
  /// Puts it in place of an earlier one of its type.
  template <class Config>
  void set(Config config) {
    std::erase_if(tables_, [](const std::any& table) { return table.type() == typeid(Config); });
    tables_.emplace_back(std::move(config));
  }

 private:
  std::vector<std::any> tables_;
};

struct TableEntry {
  const char* name;
  const char* meaning;
  void (*read)(config::Fields& fields, Tables& tables);
};

/// TableEntry::read of a struct with describe().
template <class Config>
void read_table(config::Fields& fields, Tables& tables) {
  Config config;
  fields.read(config);
  tables.set(std::move(config));
}

/// SolverEntry::restore of a class with this constructor.
template <class T>
std::unique_ptr<Fitted> restore(StoredRun run, const Problem& problem, ThreadPool& pool) {
  return std::make_unique<T>(std::move(run), problem, pool);
}

/// What is known before any data are read.
struct Selection {
  const ProblemConfig& problem;
  const RunConfig& run;
  const Tables& tables;
};

struct SolverEntry {
  const char* kind;                           ///< of problem
  const char* name;                           ///< solver.name
  const char* meaning;                        ///< of that name
  std::span<const TableEntry* const> tables;  ///< that it reads
  Features needs;
  /// Its own rules between tables. @throws ConfigError.
  void (*check)(const Selection& selection);
  /// Whether what a run would start from, another run say, is of this problem; null: it starts from
  /// nothing. Rank 0 alone. @return what to warn of, or "". @throws ConfigError, DataError.
  std::string (*check_start)(const Tables& tables, const Problem& problem) = nullptr;
  /// What it holds on each rank, for --dry-run. Collective. @throws ConfigError: no room.
  std::string (*holds)(const Tables& tables, const Problem& problem, Context& context);
  /// Collective.
  Result (*solve)(const Tables& tables, const Problem& problem, Context& context);
  /// What the closing summary says of the solver's own keys of a result.json.
  std::vector<Line> (*lines)(const Record& result);
  /// A finished run, asked anew. @param pool must outlive it. @throws DataError.
  std::unique_ptr<Fitted> (*restore)(StoredRun run, const Problem& problem, ThreadPool& pool);
};

/// All that there are, in solver_list.cpp.
std::span<const SolverEntry* const> solvers();

}  // namespace kantor
