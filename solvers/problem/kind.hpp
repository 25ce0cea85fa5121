#pragma once

// problem.kind as a table: one row in kind_list.cpp and one file in kinds/ each.

#include <cstddef>
#include <limits>
#include <span>
#include <string>

#include "solvers/problem/problem.hpp"

namespace kantor {

struct KindEntry {
  const char* name;
  const char* meaning;
  std::size_t fewest, most;            ///< marginals
  bool is_in_one_space;                ///< points of all marginals meet in one cost
  std::span<const char* const> costs;  ///< the first is the default
  /// Its keys, cost and epsilon among them. Those that it has and the selected kind has not are
  /// refused by name.
  void (*describe)(config::Fields& fields, ProblemConfig& config);
  /// What one key asks of another, and of the marginals. @throws ConfigError.
  void (*check)(const ProblemConfig& config);
  /// What of the problem follows from its clouds, which are loaded. Collective; null: nothing.
  void (*load)(const ProblemConfig& config, Problem& problem, Context& context) = nullptr;
  /// "37 x 23 points, d = 3", for opening lines.
  std::string (*sizes)(const Problem& problem);
  bool takes_shared = false;  ///< features of each point in one space, beside its own
};

constexpr std::size_t kAnyNumber = std::numeric_limits<std::size_t>::max();

// One file in kinds/ each.
extern const KindEntry kEotKind, kEgwKind, kMotKind, kMgwKind, kGridsKind;

/// All that there are, in kind_list.cpp.
std::span<const KindEntry* const> kinds();
/// @throws ConfigError.
const KindEntry& kind_named(const std::string& name);

// What rows are made of.

void describe_cost(config::Fields& fields, const KindEntry& kind, ProblemConfig& config);
/// As many marginals as the kind takes. @throws ConfigError.
void check_number_of_marginals(const KindEntry& kind, const ProblemConfig& config);
/// The same, and each as it should be. @throws ConfigError.
void check_marginals(const KindEntry& kind, const ProblemConfig& config);
/// KindEntry::describe of a kind with GraphTerms: cost, epsilon, and the graph.
template <const KindEntry& kKind>
void describe_on_graph(config::Fields& fields, ProblemConfig& config) {
  describe_cost(fields, kKind, config);
  config.epsilon.describe(fields);
  config.terms.emplace<GraphTerms>().graph.describe(fields);
}
/// KindEntry::check of the same: marginals, and the graph between them.
template <const KindEntry& kKind>
void check_on_graph(const ProblemConfig& config) {
  check_marginals(kKind, config);
  static_cast<void>(std::get<GraphTerms>(config.terms).graph.edges(config.marginals.size()));
}
/// "37 x 23 points, d = 3"; "d = 3 x 2" where they differ.
std::string sizes_of_clouds(const Problem& problem);

}  // namespace kantor
