// Costs of inf: pairs that no plan may use.

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "tests/solvers/problem/cost_file_fixture.hpp"
#include "tests/support/thrown.hpp"

namespace kantor::test {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

class ForbiddenPairs : public CostFile {};

/// Whether all sets of rows are allowed as many columns (Hall 1935). @param costs [n, n].
bool has_plan_of_equal_weights(const std::vector<double>& costs, std::size_t n) {
  for (std::size_t set = 1; set < (std::size_t{1} << n); ++set) {
    std::size_t columns = 0;
    for (std::size_t k = 0; k < costs.size(); ++k) {
      if ((set >> (k / n) & 1) != 0 && std::isfinite(costs[k])) columns |= std::size_t{1} << k % n;
    }
    if (std::popcount(columns) < std::popcount(set)) return false;
  }
  return true;
}

/// Blocks of equal mass that nothing crosses: each a problem of its own, and log 2 of KL.
TEST_F(ForbiddenPairs, are_those_of_infinite_cost) {
  const std::vector<double> first = kernels::test::uniform(6, 0, 1, 1);
  const std::vector<double> second = kernels::test::uniform(6, 0, 1, 2);
  const auto value_of = [&](const std::vector<double>& block) {
    write("C.npy", block, {2, 3});
    return *solve(load(config("epsilon = 0.1"))).objective;
  };
  const double expected = (value_of(first) + value_of(second)) / 2 + .1 * std::log(2);
  std::vector<double> costs(24, kInfinity);
  for (std::size_t k = 0; k < 6; ++k) {
    costs[k / 3 * 6 + k % 3] = first[k];
    costs[(2 + k / 3) * 6 + 3 + k % 3] = second[k];
  }
  write("C.npy", costs, {4, 6});
  const Problem problem = load(config("epsilon = 0.1"));
  EXPECT_TRUE(problem.cost.has_forbidden_pairs);
  EXPECT_TRUE(std::isnan(problem.statistics.mean));  // and no epsilon is relative to it
  const Outcome fine = solve(problem);
  EXPECT_TRUE(fine.converged.value());
  EXPECT_NEAR(*fine.objective, expected, 1e-11);
  EXPECT_NEAR(fine.dual_value, expected, 1e-11);
  for (const char* storage : {"auto", "absorbed", "absorbed16"}) {
    for (const double weight : {1.0, 1.3}) {
      TestRun run(world(), "float32");
      sinkhorn::SinkhornConfig config;
      config.storage = storage;
      config.momentum.weight = weight;
      const Outcome result = sinkhorn::solve(config, problem, run.context);
      EXPECT_TRUE(result.converged.value()) << storage << " " << weight;
      EXPECT_GE(*result.objective, expected - 1e-11);
      EXPECT_LE(*result.objective, expected + 1e-3);  // the tolerance, of costs of 1
      EXPECT_NEAR(result.dual_value, expected, 1e-5);
    }
  }
  const Outcome loose = solve(load(config("epsilon = 0.1\nrho = 1")), "float64", 1e-10);
  EXPECT_TRUE(loose.converged.value());
  EXPECT_NEAR(*loose.objective, loose.dual_value, 1e-9);
}

/// Rows that lack mass have no allowed pair with the columns that do.
TEST_F(ForbiddenPairs, allow_a_proof_between_the_few_that_are_left) {
  std::vector<double> costs = kernels::test::uniform(3600, 0, 1, 5);
  for (std::size_t k = 0; k < costs.size(); ++k) {
    const std::size_t offset = (60 + k % 60 - k / 60) % 60;  // each allowed one is a permutation
    if (offset != 0 && offset != 1 && offset != 5 && offset != 11) {
      costs[k] = kInfinity;
    }
  }
  write("C.npy", costs, {60, 60});
  const Problem problem = load(config("epsilon = 0.1"));
  const Outcome exact = solve(problem, "float64", 1e-10);
  const Outcome result = solve(problem, "float64", 1e-3);
  EXPECT_TRUE(result.converged.value());
  EXPECT_LT(result.iterations, exact.iterations);
  EXPECT_LE(result.dual_value, exact.dual_value + 1e-12);
  EXPECT_GE(*result.objective, exact.dual_value - 1e-12);
  EXPECT_LE(*result.objective, exact.dual_value + 1e-3);
}

/// The one plan without a forbidden pair is the diagonal; the rest fades as 1 / iterations.
TEST_F(ForbiddenPairs, leave_no_mass_on_others_that_no_plan_can_use) {
  std::vector<double> costs = kernels::test::uniform(36, 0, 1, 6);
  double trace = 0;
  for (std::size_t k = 0; k < costs.size(); ++k) {
    if (k % 6 > k / 6) costs[k] = kInfinity;
    if (k % 7 == 0) trace += costs[k];
  }
  write("C.npy", costs, {6, 6});
  const Problem problem = load(config("epsilon = 0.1"));
  for (const double tolerance : {.3, 1e-3}) {
    const Outcome result = solve(problem, "float64", tolerance);
    const double only = trace / 6 + .1 * std::log(6);
    EXPECT_NEAR(result.objective.value(), only, 1e-11) << tolerance;
    EXPECT_NEAR(result.kl.value(), std::log(6), 1e-11);
    EXPECT_LE(result.dual_value, only + 1e-12);
  }
}

/// Random supports around a permutation, which is a plan, or with it broken: the value against the
/// same problem solved to the end, and what is infeasible against all sets of rows.
TEST_F(ForbiddenPairs, leave_a_plan_where_the_allowed_ones_carry_one) {
  constexpr std::size_t kRows = 5;
  int num_feasible = 0;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    std::vector<double> costs = kernels::test::uniform(kRows * kRows, 0, 1, seed);
    const std::vector<double> coins = kernels::test::uniform(kRows * kRows, 0, 1, 100 + seed);
    for (std::size_t k = 0; k < costs.size(); ++k) {
      if (coins[k] > .4) costs[k] = kInfinity;
    }
    for (std::size_t k = 0; k < kRows; ++k) {
      costs[k * kRows + seed % kRows] = costs[seed % kRows * kRows + k] = 1;  // each has a pair
    }
    write("C.npy", costs, {kRows, kRows});
    const Problem problem = load(config("epsilon = 0.01"));
    TestRun run(world());
    sinkhorn::SinkhornConfig config;
    config.max_iterations = 30;
    if (!has_plan_of_equal_weights(costs, kRows)) {
      const std::string message =
          message_of<DataError>([&] { sinkhorn::solve(config, problem, run.context); });
      EXPECT_NE(message.find("no plan avoids the forbidden pairs"), std::string::npos) << seed;
      continue;
    }
    ++num_feasible;
    const Outcome result = sinkhorn::solve(config, problem, run.context);
    ASSERT_TRUE(result.objective.has_value()) << seed;
    EXPECT_GE(*result.objective, result.dual_value - 1e-12) << seed;
    EXPECT_LE(*result.transport_cost, 1) << seed;
  }
  EXPECT_GT(num_feasible, 5);
  EXPECT_LT(num_feasible, 35);
}

TEST_F(ForbiddenPairs, allow_a_proof_at_a_small_epsilon) {
  std::vector<double> costs = kernels::test::uniform(600, 0, 1, 7);
  const std::vector<double> coins = kernels::test::uniform(600, 0, 1, 8);
  for (std::size_t k = 0; k < costs.size(); ++k) {
    if (coins[k] < .4) costs[k] = kInfinity;
  }
  write("C.npy", costs, {20, 30});
  const Problem problem = load(config("epsilon = 0.001"));
  const Outcome result = solve(problem, "float64", 1e-3);
  EXPECT_TRUE(result.converged.value());
  EXPECT_NEAR(result.objective.value(), result.dual_value, .01 * result.dual_value);
}

TEST_F(ForbiddenPairs, are_refused_with_the_rows_that_no_plan_serves) {
  write("C.npy", {1, kInfinity, kInfinity, 1, kInfinity, kInfinity, kInfinity, 1, 1}, {3, 3});
  const Problem problem = load(config("epsilon = 0.1"));
  EXPECT_NE(message_of<DataError>([&] { solve(problem); })
                .find("the rows {0, 1} of weight 0.666667 are allowed the columns {0} of weight "
                      "0.333333 alone"),
            std::string::npos);
}

/// What all pairs of a row or column cost changes neither the plan nor the way there.
TEST_F(ForbiddenPairs, need_no_more_iterations_where_the_others_have_offsets) {
  std::vector<double> costs = kernels::test::uniform(600, 0, 1, 9);
  const std::vector<double> coins = kernels::test::uniform(600, 0, 1, 10);
  const std::vector<double> offsets = kernels::test::uniform(50, -1e4, 1e4, 11);
  for (std::size_t k = 0; k < costs.size(); ++k) {
    if (coins[k] < .4) costs[k] = kInfinity;
  }
  write("C.npy", costs, {20, 30});
  const Outcome plain = solve(load(config("epsilon = 0.1")), "float64", 1e-6);
  double mean = 0;
  for (std::size_t i = 0; i < 20; ++i) mean += offsets[i] / 20;
  for (std::size_t j = 0; j < 30; ++j) mean += offsets[20 + j] / 30;
  for (std::size_t k = 0; k < costs.size(); ++k) costs[k] += offsets[k / 30] + offsets[20 + k % 30];
  write("C.npy", costs, {20, 30});
  const Outcome moved = solve(load(config("epsilon = 0.1")), "float64", 1e-6);
  EXPECT_LE(moved.iterations, plain.iterations + 2);
  EXPECT_NEAR(*moved.objective - mean, *plain.objective, 1e-6);
}

TEST_F(ForbiddenPairs, are_refused_where_a_point_has_no_other) {
  const auto refusal = [&](const std::vector<double>& costs, const std::string& marginals = "") {
    write("C.npy", costs, {2, 2});
    return message_of<DataError>([&] { load(config("epsilon = 1", marginals)); });
  };
  EXPECT_NE(refusal({1, 1, kInfinity, kInfinity}).find("row 1 is inf"), std::string::npos);
  EXPECT_NE(refusal({1, kInfinity, 1, kInfinity}).find("column 1 is inf"), std::string::npos);
  EXPECT_NE(refusal({1, -kInfinity, 1, 1}).find("row 0, column 1 is -inf"), std::string::npos);
  write("w.npy", {1, 0}, {2});  // its column of weight is forbidden
  EXPECT_NE(refusal({1, 1, kInfinity, 1}, "[{}, { weights = \"w.npy\" }]").find("row 1 is inf"),
            std::string::npos);
  write("C.npy", {1, kInfinity, 1, 1}, {2, 2});
  EXPECT_NE(message_of<ConfigError>([&] {
              load(config("epsilon = { relative = \"mean\" }"));
            }).find("forbidden pairs"),
            std::string::npos);
}

}  // namespace
}  // namespace kantor::test
