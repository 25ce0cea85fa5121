// Under mpirun with 1 to 4 ranks: what a plan lacks is put where it is cheap.

#include "solvers/eot/missing_mass.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "solvers/eot/plan_value.hpp"
#include "solvers/sinkhorn/sinkhorn.hpp"
#include "tests/solvers/dense_eot.hpp"
#include "tests/support/world.hpp"

namespace kantor::test {
namespace {

/// Costs of a square between two blocks of rows and columns of the same mass, and elsewhere `far`.
Problem blocks(double far) {
  Problem problem = make_problem({}, .1, make_marginal(kernels::test::uniform(20, 0, 1, 1), 1),
                                 make_marginal(kernels::test::uniform(30, 0, 1, 2), 1));
  std::vector<double> costs = kernels::test::uniform(600, 0, 1, 3);
  for (std::size_t k = 0; k < costs.size(); ++k) {
    if ((k / 30 < 10) != (k % 30 < 15)) costs[k] = far;
  }
  problem.cost.file = data::memory_rows(costs, 20, 30);
  return problem;
}

/// Two clouds of two clusters each, 2e4 apart.
Problem clusters(double first_mass = .5, std::int64_t num_rows = 40) {
  const auto cloud = [](std::int64_t n, std::uint64_t seed, double mass) {
    std::vector<double> points = kernels::test::uniform(2 * n, -1, 1, seed);
    std::vector<double> weights;
    const auto half = static_cast<std::size_t>(n);  // of the coordinates
    for (std::size_t k = 0; k < points.size(); ++k) points[k] += k < half ? 1e4 : -1e4;
    for (std::int64_t i = 0; i < n; ++i) {
      weights.push_back((2 * i < n ? mass : 1 - mass) / (static_cast<double>(n) / 2));
    }
    return make_marginal(points, 2, weights);
  };
  return make_problem({}, .1, cloud(num_rows, 4, .5), cloud(50, 5, first_mass));
}

Outcome solve(const Problem& problem, Communicator& ranks, double tolerance = 1e-3) {
  TestRun run(ranks);
  sinkhorn::SinkhornConfig config;
  config.tolerance = tolerance;
  config.max_iterations = 3000;
  return sinkhorn::solve(config, problem, run.context);
}

TEST(MissingMass, costs_little_between_blocks_and_clusters) {
  const auto alone = make_self_communicator();
  for (const Problem& problem : {blocks(1e9), clusters()}) {
    const double optimum = solve(problem, *alone, 1e-7).dual_value;
    const Outcome one = solve(problem, *alone);
    const Outcome many = solve(problem, world());
    EXPECT_TRUE(many.converged.value());
    EXPECT_LE(many.dual_value, optimum + 1e-6);
    EXPECT_GE(*many.objective, optimum - 1e-6);
    // Half the tolerance is missing, and goes as far as within a block or cluster: 8 at most.
    EXPECT_LE(*many.objective, optimum + 8 * 5e-4);
    // What is left of a mass of 1e-16 or so may cost 1e9.
    EXPECT_NEAR(*many.objective, *one.objective, 1e-6);
    EXPECT_NEAR(*many.kl, *one.kl, 1e-9);
  }
}

/// Every mass that is missing is made up for, and no other.
TEST(MissingMass, is_made_up_for_to_rounding) {
  for (const Problem& problem : {blocks(1e9), clusters()}) {
    TestRun run(world());
    const ShardedPairs<double> points(pair_of(problem), {}, Storage::streamed, run.context);
    std::vector<double> f;
    std::vector<double> g(static_cast<std::size_t>(points.m()), 0.0);
    sinkhorn::iterate(points, {.tolerance = 1e-2, .max_iterations = 1000}, f, g, run.context,
                      "test");
    std::vector<double> columns(g.size());
    const kernels::UpdatedColumns wanted[] = {{{}, columns}};
    points.transform_to_x(g, points.epsilon(), wanted, f);
    world().all_reduce<double>(columns, ReduceOp::sum, "test");
    const CutColumns cut(points.b(), columns);
    EXPECT_GT(cut.mass, 1e-4);
    const MakeUp make_up(points, g, cut, run.context);
    EXPECT_LE(make_up.left().mass, 1e-14);

    std::vector<double> made(cut.missing.size());
    for (const kernels::AddedPlan<double>& plan : make_up.plans()) {
      std::vector<double> sums(made.size());
      std::vector<double> ignored(f.size());
      if (!f.empty()) {
        kernels::soft_min_weights<double>(plan.reduction, plan.row_masses, run.pool, ignored, sums);
      }
      world().all_reduce<double>(sums, ReduceOp::sum, "test");
      for (std::size_t j = 0; j < made.size(); ++j) made[j] += sums[j] * plan.column_scale[j];
    }
    for (std::size_t j = 0; j < made.size(); ++j) EXPECT_NEAR(made[j], cut.missing[j], 1e-14);
  }
}

/// Passes of as many parts as there can be.
class CountedPasses final : public Pauses {
 public:
  std::int64_t least_pairs() const override { return 1; }
  void begin(std::int64_t /*num_parts*/) override { ++num_passes; }
  void pause() override { ++num_pauses; }
  std::int64_t num_passes = 0;
  std::int64_t num_pauses = 0;
};

/// A request to stop is heard between the parts of these passes, too.
TEST(MissingMass, is_made_up_for_in_parts) {
  const Problem problem = clusters(.5, 20000);
  TestRun run(world());
  ShardedPairs<double> points(pair_of(problem), {}, Storage::streamed, run.context);
  std::vector<double> f;
  std::vector<double> g(static_cast<std::size_t>(points.m()), 0.0);
  sinkhorn::iterate(points, {.tolerance = 1e-2, .max_iterations = 1000}, f, g, run.context, "test");
  const PlanValue whole = plan_value(points, f, g, run.context);
  CountedPasses pauses;
  points.pause_in(&pauses);
  const PlanValue parts = plan_value(points, f, g, run.context);
  EXPECT_GT(pauses.num_passes, 10);
  EXPECT_GE(pauses.num_pauses, pauses.num_passes);
  // What is left of a mass of 1e-16 or so may cost 8e8.
  EXPECT_NEAR(parts.objective, whole.objective, 1e-6);
  EXPECT_NEAR(parts.kl, whole.kl, 1e-9);
}

/// A plan of the tolerance's marginals, but what it lacks has to cross from cluster to cluster.
TEST(MissingMass, that_cannot_be_cheap_is_not_called_converged) {
  const Outcome result = solve(clusters(.5002), world());
  EXPECT_LE(result.marginal_error.at(0), 1e-3);
  ASSERT_EQ(result.whole.advice.size(), 1u);
  EXPECT_NE(result.whole.advice[0].find("the proven gap is"), std::string::npos);
  EXPECT_FALSE(result.converged.value());
  EXPECT_GT(*result.objective, 2e-4 * 4e8);  // the squares of 2e4 in either coordinate are 8e8
}

/// Where the product of what is missing is not dear, it is what is added.
TEST(MissingMass, takes_no_more_passes_where_it_is_cheap_anywhere) {
  const Problem problem = random_problem({}, .1, {.n = 45, .m = 38, .d = 3});
  TestRun run(world());
  const ShardedPairs<double> points(pair_of(problem), {}, Storage::streamed, run.context);
  std::vector<double> f;
  std::vector<double> g(static_cast<std::size_t>(points.m()), 0.0);
  sinkhorn::iterate(points, {.tolerance = 1e-3, .max_iterations = 1000}, f, g, run.context, "test");
  const std::int64_t before = world().counts().all_reduce;
  plan_value(points, f, g, run.context);
  EXPECT_LE(world().counts().all_reduce - before, 5);  // column sums, three expectations, the value
}

}  // namespace
}  // namespace kantor::test
