#include "solvers/neural/entry.hpp"

#include "runtime/core/text.hpp"
#include "solvers/neural/neural_eot.hpp"

namespace kantor::neural {

namespace {

constexpr const TableEntry* kTables[] = {&kTable};

std::string holds(const Tables& tables, const Problem& problem, Context& context) {
  const auto& config = tables.get<NeuralConfig>();
  check_room_for_batch(config, problem, context);
  return concat(", about ", format_bytes(bytes_per_rank(config, problem, context)), " per rank");
}

Result solve_eot(const Tables& tables, const Problem& problem, Context& context) {
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
                                 .solve = solve_eot};

}  // namespace kantor::neural
