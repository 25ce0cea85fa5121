// Under mpirun with 1 to 4 ranks: the same numbers as one rank computes.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "solvers/eot/plan_diagnostics.hpp"
#include "solvers/eot/plan_value.hpp"
#include "solvers/sinkhorn/iteration.hpp"
#include "solvers/sinkhorn/sinkhorn.hpp"
#include "tests/solvers/dense_eot.hpp"
#include "tests/solvers/rounding.hpp"
#include "tests/support/world.hpp"

namespace kantor::test {
namespace {

Outcome solve(Communicator& ranks, const Problem& problem, const std::string& precision,
              const std::string& storage = "auto") {
  TestRun run(ranks, precision);
  sinkhorn::SinkhornConfig config;
  config.tolerance = 1e-4;
  config.max_iterations = 300;
  config.storage = storage;
  return sinkhorn::solve(config, problem, run.context);
}

/// By as many iterations whatever the rounding: in float it may decide of the last one.
Outcome solve_for_long(Communicator& ranks, const Problem& problem, const std::string& precision) {
  TestRun run(ranks, precision);
  sinkhorn::SinkhornConfig config;
  config.tolerance = 0;
  config.max_iterations = 30;
  config.storage = "streamed";
  return sinkhorn::solve(config, problem, run.context);
}

void expect_same(const Outcome& many, const Outcome& one, double tolerance) {
  EXPECT_EQ(many.iterations, one.iterations);
  EXPECT_EQ(many.converged, one.converged);
  EXPECT_NEAR(*many.objective, *one.objective, tolerance);
  EXPECT_NEAR(*many.transport_cost, *one.transport_cost, tolerance);
  EXPECT_NEAR(*many.kl, *one.kl, tolerance);
  EXPECT_NEAR(many.dual_value, one.dual_value, tolerance);
  for (std::size_t k = 0; k < 2; ++k) {
    EXPECT_NEAR(many.marginal_error.at(k), one.marginal_error.at(k), tolerance);
  }
  if (world().rank() != 0) {
    EXPECT_TRUE(many.potentials.empty());
    return;
  }
  for (std::size_t k = 0; k < 2; ++k) {
    ASSERT_EQ(many.potentials.at(k).size(), one.potentials.at(k).size());
    for (std::size_t i = 0; i < one.potentials[k].size(); ++i) {
      EXPECT_NEAR(many.potentials[k][i], one.potentials[k][i], tolerance);
    }
  }
}

TEST(SinkhornRanks, compute_what_one_rank_computes) {
  const auto alone = make_self_communicator();
  for (const Cost& cost : kAllCosts) {
    const Problem problem = random_problem(cost, .3, {.n = 45, .m = 38, .d = 3});
    SCOPED_TRACE(cost_name(cost.kind));
    const double condition = condition_of(
        problem, [&](const Problem& each) { return solve_for_long(*alone, each, "float64"); });
    expect_same(solve(world(), problem, "float64"), solve(*alone, problem, "float64"),
                rounding<double>(problem, condition));
    expect_same(solve_for_long(world(), problem, "float32"),
                solve_for_long(*alone, problem, "float32"), rounding<float>(problem, condition));
  }
}

TEST(SinkhornRanks, move_and_penalise_as_one_rank_does) {
  const auto alone = make_self_communicator();
  for (const std::int64_t n : {45, 3}) {
    Problem problem = random_problem({}, .1, {.n = n, .m = 38, .d = 3});
    for (const Penalty& rho : {Penalty{}, Penalty{1, 2}, Penalty{.5}}) {
      rho_of(problem) = rho;
      for (const bool is_adaptive : {false, true}) {
        sinkhorn::SinkhornConfig config;
        config.tolerance = 1e-6;
        config.max_iterations = 2000;
        config.momentum = {.weight = is_adaptive ? 1 : 1.3, .is_adaptive = is_adaptive};
        config.epsilon_decay = sinkhorn::EpsilonDecayConfig{4, .7};
        const auto solve_on = [&](Communicator& ranks) {
          TestRun run(ranks);
          return sinkhorn::solve(config, problem, run.context);
        };
        const Outcome one = solve_on(*alone);
        EXPECT_TRUE(one.converged.value());
        expect_same(solve_on(world()), one, 1e-12);
      }
    }
  }
}

/// The first potentials of raised costs have exponentials beyond double.
TEST(SinkhornRanks, penalise_plans_of_any_mass) {
  const auto alone = make_self_communicator();
  for (const std::int64_t n : {45, 3}) {
    Problem problem = random_problem({}, .1, {.n = n, .m = 38, .d = 3});
    rho_of(problem) = {1, 2};
    for (const double raise : {-1200.0, 1000.0}) {
      std::vector<double> costs = costs_of(problem);
      for (double& cost : costs) cost += raise;
      problem.cost.file = data::memory_rows(costs, n, 38);
      const Outcome one = solve(*alone, problem, "float64");
      const Outcome many = solve(world(), problem, "float64");
      EXPECT_TRUE(one.converged.value());
      EXPECT_EQ(many.iterations, one.iterations);
      // Logits of raise / epsilon are rounded, and an update takes so much of what came before on.
      const double kept = 1 / ((1 + .1 / rho_of(problem).x) * (1 + .1 / rho_of(problem).y));
      const double tolerance = tol<double>(45) * std::abs(raise) / .1 / (1 - kept);
      EXPECT_NEAR(*many.mass / *one.mass, 1, tolerance);
      EXPECT_NEAR(*many.objective / *one.objective, 1, tolerance);
    }
  }
}

TEST(SinkhornRanks, go_on_with_momentum_where_one_rank_stopped) {
  const auto alone = make_self_communicator();
  const Problem problem = random_problem({}, .05, {.n = 45, .m = 38, .d = 2});
  sinkhorn::SinkhornConfig config;
  config.tolerance = 1e-7;
  config.momentum.is_adaptive = true;
  TestRun whole(*alone);
  whole.checkpoints = MemoryCheckpoints(1);
  const Outcome expected = sinkhorn::solve(config, problem, whole.context);
  for (const std::size_t at : {1u, 9u, 20u}) {
    TestRun rest(world());
    rest.checkpoints.resume_from(whole.checkpoints.saved().at(at));
    expect_same(sinkhorn::solve(config, problem, rest.context), expected, 1e-12);
  }
}

/// Only rank 0 of a run knows when a checkpoint is due; what it holds may be on all ranks.
TEST(SinkhornRanks, save_together_when_one_rank_finds_it_due) {
  const auto alone = make_self_communicator();
  const Problem problem = random_problem({}, .05, {.n = 45, .m = 38, .d = 2});
  for (const double weight : {1.0, 1.4}) {
    sinkhorn::SinkhornConfig config;
    config.tolerance = 1e-7;
    config.momentum.weight = weight;
    TestRun one(*alone);
    const Outcome expected = sinkhorn::solve(config, problem, one.context);
    TestRun many(world());
    many.checkpoints = MemoryCheckpoints(world().rank() == 0 ? 5 : 0);
    expect_same(sinkhorn::solve(config, problem, many.context), expected, 1e-12);
    EXPECT_GT(many.checkpoints.saved().size(), 2u);
    TestRun rest(world());
    rest.checkpoints.resume_from(many.checkpoints.saved().back());
    expect_same(sinkhorn::solve(config, problem, rest.context), expected, 1e-12);
  }
}

TEST(SinkhornRanks, solve_the_divergence_and_start_warm_as_one_rank_does) {
  const auto alone = make_self_communicator();
  const Problem problem = random_problem({}, .1, {.n = 45, .m = 38, .d = 3});
  for (const char* start : {"gaussian", "subsample"}) {
    sinkhorn::SinkhornConfig config;
    config.tolerance = 1e-5;
    config.divergence = true;
    config.warm_start = start;
    config.warm_start_points = 20;
    const auto solve_on = [&](Communicator& ranks) {
      TestRun run(ranks);
      return sinkhorn::solve(config, problem, run.context);
    };
    const Outcome one = solve_on(*alone);
    const Outcome many = solve_on(world());
    expect_same(many, one, 1e-12);
    EXPECT_NEAR(many.divergence->value, one.divergence->value, 1e-12);
    EXPECT_EQ(many.divergence->iterations, one.divergence->iterations);
    EXPECT_EQ(many.self_potentials.size(), world().rank() == 0 ? 2u : 0u);
  }
}

TEST(SinkhornRanks, read_their_rows_of_a_matrix) {
  const auto alone = make_self_communicator();
  for (const std::int64_t n : {45, 3}) {
    Problem problem = random_problem({}, .1, {.n = n, .m = 38, .d = 3});
    problem.cost.file = data::memory_rows(costs_of(problem), n, 38);
    expect_same(solve(world(), problem, "float64"), solve(*alone, problem, "float64"), 1e-12);
    problem.cost.file = data::memory_rows(std::vector<double>(n * 38, .5), n, 38);
    EXPECT_NEAR(*solve(world(), problem, "float64").transport_cost, .5, 1e-12);
  }
}

TEST(SinkhornRanks, may_outnumber_the_rows) {
  const auto alone = make_self_communicator();
  for (const std::int64_t n : {1, 2, 3, 5}) {  // 5 rows on 4 ranks: 2, 2, 1, 0
    const Problem problem = random_problem({}, .3, {.n = n, .m = 6, .d = 2});
    for (const char* storage : {"materialised", "streamed", "absorbed"}) {
      expect_same(solve(world(), problem, "float64", storage), solve(*alone, problem, "float64"),
                  1e-12);
    }
  }
}

TEST(SinkhornRanks, read_the_absorbed_kernel_with_momentum) {
  const Problem problem = random_problem({}, .05, {.n = 45, .m = 38, .d = 3});
  const auto solved = [&](Communicator& ranks, const char* storage, const char* precision) {
    TestRun run(ranks, precision);
    sinkhorn::SinkhornConfig config;
    config.tolerance = 1e-5;
    config.storage = storage;
    config.momentum.weight = 1.4;
    return sinkhorn::solve(config, problem, run.context);
  };
  const auto alone = make_self_communicator();
  const Outcome streamed = solved(*alone, "streamed", "float64");
  expect_same(solved(world(), "absorbed", "float64"), streamed, 1e-12);
  const Outcome floats = solved(world(), "absorbed", "float32");
  EXPECT_EQ(floats.converged, true);
  EXPECT_LE(std::abs(floats.iterations - streamed.iterations), 1);
  EXPECT_NEAR(floats.dual_value, streamed.dual_value, 1e-5);
}

// What its codes are wrong by is of each rank's own columns, but second order: as far as the
// potentials may go within the tolerance.
TEST(SinkhornRanks, reach_the_tolerance_with_a_kernel_in_16_bits) {
  const auto alone = make_self_communicator();
  for (const std::int64_t n : {45, 3, 1}) {
    const Problem problem = random_problem({}, .1, {.n = n, .m = 38, .d = 3});
    const Outcome exact = solve(*alone, problem, "float64");
    for (const std::string storage : {"absorbed16", "absorbed"}) {
      const Outcome many = solve(world(), problem, "float32", storage);
      EXPECT_EQ(many.converged, true);
      EXPECT_LE(many.marginal_error.at(0), 1.01e-4);
      EXPECT_LE(std::abs(many.iterations - exact.iterations), 1);
      EXPECT_NEAR(many.dual_value, exact.dual_value, 1e-4 * problem.epsilon);
    }
  }
}

TEST(SinkhornRanks, survive_columns_that_underflow_together) {
  TestRun run(world());
  const Problem problem = make_problem({}, .05, make_marginal({0, .1, .25}, 1),
                                       make_marginal({0, .2, 50}, 1, {.5, .3, .2}));
  const ShardedPairs<double> sharded(pair_of(problem), {}, Storage::automatic, run.context);
  std::vector<double> f;
  std::vector<double> g(3, 0.0);
  const auto report = sinkhorn::iterate(sharded, {0, 5}, f, g, run.context, "test");
  EXPECT_EQ(report.fallbacks, 1);
  const DenseEot::Pair pair = DenseEot(problem).sinkhorn(5);
  f = sharded.gather_x(f);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_NEAR(f[i], pair.f[i], 1e-10);  // costs of 2500 carry 5e-13
    EXPECT_NEAR(g[i], pair.g[i], 1e-10);
  }
}

TEST(SinkhornRanks, send_one_all_reduce_per_pass) {
  TestRun run(world());
  const Problem problem = random_problem({}, .3, {.n = 45, .m = 38, .d = 3});
  const ShardedPairs<double> sharded(pair_of(problem), {}, Storage::automatic, run.context);
  const auto passes = [&](std::int64_t iterations) {
    std::vector<double> f;
    std::vector<double> g = kernels::test::uniform(38, -.1, .1, 1);
    const CommCounts before = world().counts();
    sinkhorn::iterate(sharded, {0, iterations}, f, g, run.context, "test");
    EXPECT_EQ(world().counts().all_gather, before.all_gather);
    EXPECT_EQ(world().counts().reduce_scatter, before.reduce_scatter);
    return world().counts().all_reduce - before.all_reduce;
  };
  EXPECT_EQ(passes(21) - passes(1), 20);
}

/// The part of this rank.
std::vector<double> part_of(const std::vector<double>& all, const Shard& rows) {
  return {all.begin() + rows.first, all.begin() + rows.last};
}

void expect_plan_value(const Problem& problem, const std::vector<double>& f,
                       const std::vector<double>& g, double optimum) {
  TestRun run(world());
  const ShardedPairs<double> sharded(pair_of(problem), {}, Storage::automatic, run.context);
  const auto value = plan_value(sharded, part_of(f, sharded.rows()), g, run.context);
  const DenseEot dense(problem);
  const std::vector<double> plan = dense.plan(f, g);
  EXPECT_NEAR(value.dual_value, dense.dual_value(f, g), 1e-12 * (1 + std::abs(value.dual_value)));
  const double x_error = DenseEot::l1(dense.rows(plan), dense.a);
  const double y_error = DenseEot::l1(dense.columns(plan), dense.b);
  EXPECT_NEAR(value.marginal_error.at(0), x_error, 1e-12 * (1 + x_error));
  EXPECT_NEAR(value.marginal_error.at(1), y_error, 1e-12 * (1 + y_error));

  const std::vector<double> rounded = dense.rounded(dense.plan(dense.to_x(g), g));
  // The oracle itself is feasible, to the rounding of its sums.
  const double rounding = 1e-14 + std::numeric_limits<double>::epsilon() *
                                      std::sqrt(static_cast<double>(rounded.size()));
  EXPECT_LT(DenseEot::l1(dense.rows(rounded), dense.a), rounding);
  EXPECT_LT(DenseEot::l1(dense.columns(rounded), dense.b), rounding);
  const DenseEot::Totals expected = dense.totals(rounded);
  EXPECT_NEAR(value.transport_cost, expected.transport_cost, 1e-12);
  EXPECT_NEAR(value.kl, expected.kl, 1e-12);
  EXPECT_NEAR(value.objective, expected.objective, 1e-12);

  EXPECT_LE(value.dual_value, optimum + 1e-12);
  EXPECT_GE(value.objective, optimum - 1e-12);
}

TEST(PlanValue, is_that_of_the_dense_rounded_plan) {
  for (const Cost& cost : kAllCosts) {
    for (const Sizes& sizes : {Sizes{7, 9, 2}, Sizes{2, 5, 1}, Sizes{12, 1, 2}}) {
      const Problem problem = random_problem(cost, .3, sizes);
      SCOPED_TRACE(concat(cost_name(cost.kind), " ", sizes.n, " x ", sizes.m));
      const DenseEot dense(problem);
      const DenseEot::Pair solved = dense.sinkhorn(2000);
      const double optimum = dense.dual_value(solved.f, solved.g);
      expect_plan_value(problem, solved.f, solved.g, optimum);
      for (const std::uint64_t seed : {1u, 2u, 3u}) {  // any potentials at all
        const auto f = kernels::test::uniform(sizes.n, -.6, .6, seed);
        const auto g = kernels::test::uniform(sizes.m, -.6, .6, seed + 10);
        expect_plan_value(problem, f, g, optimum);
      }
    }
  }
}

TEST(PlanValue, takes_its_columns_in_two_passes_where_there_are_many) {
  const Sizes sizes{2, kMostColumnsAtOnce + 1, 1};
  const Problem problem = random_problem({}, .3, sizes);
  const DenseEot::Pair solved = DenseEot(problem).sinkhorn(50);
  const double optimum = DenseEot(problem).dual_value(solved.f, solved.g);
  expect_plan_value(problem, kernels::test::uniform(sizes.n, -.6, .6, 1),
                    kernels::test::uniform(sizes.m, -.6, .6, 2), optimum);
}

TEST(PlanDiagnostics, is_that_of_the_dense_plan) {
  for (const Cost& cost : kAllCosts) {
    for (const bool equal_weights : {true, false}) {
      Problem problem = random_problem(cost, .3, {9, 9, 2});
      if (equal_weights) {
        problem = make_problem(cost, .3, problem.clouds[0].marginal,
                               make_marginal(points_of(problem.clouds[1].marginal), 2,
                                             problem.clouds[0].marginal.weights()));
      }
      SCOPED_TRACE(cost_name(cost.kind));
      TestRun run(world());
      const ShardedPairs<double> sharded(pair_of(problem), {}, Storage::automatic, run.context);
      const DenseEot dense(problem);
      const DenseEot::Pair pair = dense.sinkhorn(2000);
      const std::vector<double> plan = dense.plan(pair.f, pair.g);
      const auto entropy_of = [](std::span<const double> masses) {
        double sum = 0;
        for (const double p : masses) sum -= p > 0 ? p * std::log(p) : 0;
        return sum;
      };
      const double entropy = entropy_of(plan);
      const auto [least, most] = std::minmax({entropy_of(dense.a), entropy_of(dense.b)});
      double diagonal = 0;
      double divergence = 0;
      for (std::size_t i = 0; i < 9; ++i) {
        diagonal += plan[i * 10];
        if (dense.a[i] > 0) divergence += dense.a[i] * std::log(dense.a[i] / plan[i * 10]);
      }
      const PlanDiagnostics shape =
          plan_diagnostics(pair_of(problem), sharded, dense.totals(plan).kl,
                           part_of(pair.f, sharded.rows()), pair.g);
      EXPECT_NEAR(shape.entropy, entropy, 1e-12);
      EXPECT_NEAR(shape.normalised_entropy.value(), (entropy - most) / least, 1e-12);
      EXPECT_NEAR(shape.diagonal_mass.value(), diagonal, 1e-12);
      ASSERT_EQ(shape.identity_kl.has_value(), equal_weights);
      if (equal_weights) {
        EXPECT_NEAR(*shape.identity_kl, divergence, 1e-11);
      }
    }
  }
}

TEST(PlanValue, proves_less_the_worse_the_potentials_are) {
  const Problem problem = golden_problem();
  const DenseEot::Pair pair = DenseEot(problem).sinkhorn(3);
  expect_plan_value(problem, pair.f, pair.g, 1.969828444541);
}

}  // namespace
}  // namespace kantor::test
