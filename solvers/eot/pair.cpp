#include "solvers/eot/pair.hpp"

#include <utility>

#include "distributed/shards.hpp"
#include "runtime/core/error.hpp"
#include "runtime/data/row_sources.hpp"

namespace kantor {

Pair pair_of(const Problem& problem) {
  KANTOR_CHECK(problem.clouds.size() == 2, "a pair of ", problem.clouds.size(), " clouds");
  const Cloud& x = problem.clouds[0];
  const Cloud& y = problem.clouds[1];
  return {x,
          y,
          problem.cost,
          problem.epsilon,
          penalty_of(problem.terms),
          midpoint(x, y),
          problem.statistics.mean};
}

Pair self_pair(const Pair& pair, std::size_t k) {
  Pair self = pair;
  self.x = self.y = pair.cloud(k);
  self.centre = self.x.mean;
  return self;
}

Pair moved_pair(const Pair& pair, std::vector<double> rows, const EpsilonConfig& rule,
                const std::string& where, Context& context) {
  const data::Marginal& given = pair.x.marginal;
  const Shard share = shard_of(given.n(), context.world.rank(), context.world.size());
  Pair moved = pair;
  moved.x = cloud_of({given.name() + ", moved",
                      data::partial_rows(std::move(rows), share.first, given.n(), given.d()),
                      {},
                      1,
                      given.is_weighted() ? given.weights() : std::vector<double>(),
                      given.holdout(),
                      given.fingerprint()},
                     context.world);
  moved.centre = midpoint(moved.x, moved.y);
  if (!rule.relative.empty()) {
    const Epsilon epsilon = resolve_epsilon(rule, moved.cost, moved.x, moved.y, where, context);
    moved.epsilon = epsilon.value;
    moved.mean_cost = epsilon.statistics.mean;
  }
  return moved;
}

}  // namespace kantor
