// A batch of pairs of densities on a grid: row r of both marginals is pair r.

#include "distributed/collectively.hpp"
#include "runtime/core/error.hpp"
#include "solvers/problem/kind.hpp"

namespace kantor {

namespace {

constexpr const char* kCosts[] = {"sqeuclidean", "half_sqeuclidean", "euclidean"};

void describe(config::Fields& fields, ProblemConfig& config) {
  describe_cost(fields, kGridsKind, config);
  config.epsilon.describe(fields);
  auto& terms = config.terms.emplace<GridTerms>();
  fields.add("size", terms.size, "points a side that densities are brought to; 0 = as they are")
      .at_least(0);
  fields.add("dust", terms.dust, "share of a density's mass that is spread over all points")
      .at_least(0)
      .below(1);
}

void check(const ProblemConfig& config) { check_marginals(kGridsKind, config); }

void load(const ProblemConfig& /*config*/, Problem& problem, Context& context) {
  if (problem.n(0) == problem.n(1)) return;
  fail_on_all_ranks(context.world,
                    DataError(concat("marginals of ", problem.n(0), " and ", problem.n(1),
                                     " densities make no pairs; expected as many of both")));
}

std::string sizes(const Problem& problem) {
  return concat(problem.n(0), " pairs of densities, ", problem.d(0), " x ", problem.d(1),
                " points");
}

}  // namespace

const KindEntry kGridsKind = {"grids",   "a batch of pairs of densities on a grid",
                              2,         2,
                              false,     kCosts,
                              &describe, &check,
                              &load,     &sizes};

}  // namespace kantor
