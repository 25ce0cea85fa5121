#include "solvers/neural/entry.hpp"

#include <algorithm>

#include "runtime/core/text.hpp"
#include "solvers/neural/fitted_network.hpp"
#include "solvers/neural/neural_eot.hpp"

namespace kantor::neural {

namespace {

constexpr const TableEntry* kTables[] = {&kTable};

std::string holds(const Tables& tables, const Problem& problem, Context& context) {
  const auto& config = tables.get<NeuralConfig>();
  check_room_for_batch(config, problem, context);
  return concat(", about ", format_bytes(bytes_per_rank(config, problem, context)), " per rank");
}

/// A batch is drawn by permutations: beyond both clouds it holds each point again and again.
void tell_of_large_batch(const NeuralConfig& config, const Problem& problem, Context& context) {
  constexpr std::int64_t kFar = 4;
  const std::int64_t largest = std::max(problem.n(0), problem.n(1));
  if (config.batch / kFar <= largest) return;
  context.log.warn_once(concat("solver.neural.batch = ", config.batch, " draws each of at most ",
                               largest, " points ", config.batch / largest,
                               " times a step; a batch of ", largest, " has them all"));
}

Result solve_eot(const Tables& tables, const Problem& problem, Context& context) {
  tell_of_large_batch(tables.get<NeuralConfig>(), problem, context);
  return solve(tables.get<NeuralConfig>(), problem, context);
}

}  // namespace

constinit const TableEntry kTable{.name = "neural",
                                  .meaning = "one potential network on the semi-dual",
                                  .read = read_table<NeuralConfig>};

constinit const SolverEntry kEot{.kind = "eot",
                                 .name = "neural",
                                 .meaning = "one potential network, trained on the semi-dual",
                                 .tables = kTables,
                                 .needs = {Feature::points, Feature::held_marginals},
                                 .check = [](const Selection&) {},
                                 .holds = holds,
                                 .solve = solve_eot,
                                 .lines = lines_of,
                                 .restore = restore<FittedNetwork>};

}  // namespace kantor::neural
