// problem.cost = "matrix": costs from a file, marginals without points.

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include "runtime/data/npy.hpp"
#include "solvers/problem/cost_statistics.hpp"
#include "solvers/sinkhorn/sinkhorn.hpp"
#include "tests/runtime/config/config_text.hpp"
#include "tests/solvers/dense_eot.hpp"
#include "tests/support/temporary_directory.hpp"
#include "tests/support/thrown.hpp"
#include "tests/support/tolerance.hpp"
#include "tests/support/world.hpp"

namespace kantor::test {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

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

class CostFile : public testing::Test {
 protected:
  void write(const std::string& name, const std::vector<double>& values,
             const std::vector<std::int64_t>& shape) const {
    data::write_npy(folder_.file(name), values, shape);
  }
  /// `keys` of [problem]; `marginals` as TOML tables, of which NAME.npy are files of the test.
  ProblemConfig config(const std::string& keys, const std::string& marginals = "") const {
    std::string text = "[problem]\ncost = \"matrix\"\ncost_file = \"C.npy\"\n" + keys + "\n" +
                       (marginals.empty() ? "" : "marginals = " + marginals + "\n");
    for (auto at = text.find(".npy"); at != std::string::npos; at = text.find(".npy", at + 4)) {
      const auto quote = text.rfind('"', at);
      text.insert(quote + 1, folder_.file(""));
      at = text.find(".npy", at);
    }
    config::Value resolved{config::Table{}, "", ""};
    return config::read<ProblemConfig>(parsed(text), "problem", resolved);
  }
  Problem load(const ProblemConfig& config) const {
    TestRun run(world());
    return load_problem(config, run.context);
  }
  static Outcome solve(const Problem& problem, const std::string& precision = "float64",
                       double tolerance = 1e-12) {
    TestRun run(world(), precision);
    sinkhorn::SinkhornConfig config;
    config.tolerance = tolerance;
    return sinkhorn::solve(config, problem, run.context);
  }

  TemporaryDirectory folder_;
};

TEST_F(CostFile, is_refused_unless_it_is_a_matrix) {
  write("C.npy", {0, 1, 1, 0}, {4});
  EXPECT_NE(message_of<DataError>([&] { load(config("epsilon = 1")); }).find("expected a matrix"),
            std::string::npos);
}

/// POT, ot.sinkhorn and ot.sinkhorn2: a = b = (.5, .5), M = [[0, 1], [1, 0]], reg = 1.
TEST_F(CostFile, has_the_values_of_pots_documentation) {
  write("C.npy", {0, 1, 1, 0}, {2, 2});
  const Outcome result = solve(load(config("epsilon = 1")));
  EXPECT_NEAR(*result.transport_cost, .26894142136999516, 1e-13);
  EXPECT_NEAR(result.shape->diagonal_mass.value(), 2 * .36552929, 1e-8);
  EXPECT_NEAR(result.shape->entropy,
              -2 * (.36552929 * std::log(.36552929) + .13447071 * std::log(.13447071)), 1e-8);
  EXPECT_TRUE(result.converged.value());
  const Outcome small = solve(load(config("epsilon = 0.1")));
  EXPECT_NEAR(*small.transport_cost, 4.53978687e-05, 1e-13);
  EXPECT_NEAR(small.shape->diagonal_mass.value(), 2 * .499977301, 1e-9);
  // Unbalanced, reg_m = 1.
  const Outcome unbalanced = solve(load(config("epsilon = 1\nrho = 1")));
  EXPECT_NEAR(*unbalanced.mass, 2 * (.3220536 + .1184769), 2e-7);
  EXPECT_NEAR(*unbalanced.transport_cost, 2 * .1184769, 1e-7);
}

/// POT, ot.unbalanced.mm_unbalanced, M = [[1, 36], [9, 4]], reg_m = 5: diagonal .4524, .3352. There
/// epsilon = 0; with the off-diagonal empty, c + eps log(p / (a b)) + rho log(p^2 / (a b)) = 0.
TEST_F(CostFile, has_the_unbalanced_plan_of_pots_documentation) {
  const auto entry = [](double cost, double epsilon) {
    return std::exp(((epsilon + 5) * std::log(.25) - cost) / (epsilon + 10));
  };
  EXPECT_NEAR(entry(1, 0), .4524, 5e-5);
  EXPECT_NEAR(entry(4, 0), .3352, 5e-5);
  write("C.npy", {1, 36, 9, 4}, {2, 2});
  const Problem problem = load(config("epsilon = 0.1\nrho = 5"));
  const Outcome result = solve(problem);
  ASSERT_TRUE(result.converged.value());
  DenseEot dense(problem);
  dense.costs = {1, 36, 9, 4};
  const auto plan = dense.plan(result.potentials.at(0), result.potentials.at(1));
  EXPECT_NEAR(plan[0], entry(1, .1), 1e-10);
  EXPECT_NEAR(plan[3], entry(4, .1), 1e-10);
}

TEST_F(CostFile, solves_as_the_cost_of_its_points_does) {
  const Problem golden = golden_problem();
  write("C.npy", costs_of(golden), {8, 6});
  write("a.npy", golden.clouds[0].marginal.weights(), {8});
  write("b.npy", golden.clouds[1].marginal.weights(), {6});
  const Problem problem =
      load(config("epsilon = 0.1", "[{ weights = \"a.npy\", n = 8 }, { weights = \"b.npy\" }]"));
  EXPECT_NEAR(problem.statistics.mean, golden.statistics.mean, 1e-14);
  TestRun run(world());
  EXPECT_NEAR(statistics_of(problem, true, run.context).standard_deviation,
              statistics_of(golden, true, run.context).standard_deviation, 1e-13);
  const Outcome result = solve(problem);
  EXPECT_NEAR(*result.objective, 1.969828444541, 1e-11);
  EXPECT_NEAR(result.dual_value, 1.969828444541, 1e-11);
  for (std::size_t i = 0; i < 8; ++i) {
    EXPECT_NEAR(result.potentials.at(0)[i], kernels::test::kGoldenF[i], 1e-11);
  }
  const Outcome coarse = solve(problem, "float32", 1e-4);
  EXPECT_TRUE(coarse.converged.value());
  EXPECT_NEAR(coarse.dual_value, 1.969828444541, 1e-5);
}

/// Two points x in halves, three y in thirds; with powers of 2 the costs stay exact in double.
TEST_F(CostFile, has_the_same_solution_whatever_all_pairs_of_a_row_or_column_cost) {
  const std::vector<double> costs = {0, .25, 1, .5, .125, .75};
  const double offset = 0x1p17;
  // What the evaluation adds up are a few numbers of 8 offsets at most.
  const double rounding = 64 * std::numeric_limits<double>::epsilon() * 8 * offset;
  const auto solved = [&](double of_all, double of_row, double of_column,
                          const std::string& precision) {
    std::vector<double> moved = costs;
    for (std::size_t k = 0; k < moved.size(); ++k) {
      moved[k] += of_all + (k / 3 == 1 ? of_row : 0) + (k % 3 == 2 ? of_column : 0);
    }
    write("C.npy", moved, {2, 3});
    Outcome result = solve(load(config("epsilon = 0.0625")), precision, 1e-6);
    EXPECT_TRUE(result.converged.value()) << precision << " " << of_all << " " << of_column;
    *result.objective -= of_all + of_row / 2 + of_column / 3;
    result.dual_value -= of_all + of_row / 2 + of_column / 3;
    return result;
  };
  for (const char* precision : {"float64", "float32"}) {
    const Outcome plain = solved(0, 0, 0, precision);
    for (const double of_all : {offset, -offset}) {
      const Outcome moved = solved(of_all, -8 * offset, 0, precision);
      EXPECT_EQ(moved.iterations, plain.iterations) << precision << " " << of_all;
      EXPECT_NEAR(*moved.objective, *plain.objective, rounding);
      EXPECT_NEAR(moved.dual_value, plain.dual_value, rounding);
      // Starts elsewhere, for g = 0 is another potential.
      const Outcome across = solved(of_all, 0, 3 * offset, precision);
      EXPECT_LE(across.dual_value, *plain.objective + rounding);
      EXPECT_GE(*across.objective, plain.dual_value - rounding);
    }
  }
}

TEST_F(CostFile, has_a_deviation_that_no_offset_moves) {
  const std::vector<double> costs = {0, .25, 1, .5, .125, .75};
  const auto statistics = [&](double offset) {
    std::vector<double> moved = costs;
    for (double& cost : moved) cost += offset;
    write("C.npy", moved, {2, 3});
    TestRun run(world());
    return statistics_of(load(config("epsilon = 1")), true, run.context);
  };
  const double deviation = statistics(0).standard_deviation;
  EXPECT_NEAR(deviation, std::sqrt(1.890625 / 6 - .4375 * .4375), tol<double>(6));
  // Means are of numbers of 2^40, right to its last digit; deviations from them that far.
  EXPECT_NEAR(statistics(0x1p40).standard_deviation, deviation, 8 * 0x1p40 * 0x1p-52);
}

/// A huge epsilon leaves the product of the marginals, a tiny one the matching of the diagonal.
TEST_F(CostFile, tells_independence_and_a_matching_by_the_entropy) {
  write("C.npy", {0, 1, 1, 1, 0, 1}, {2, 3});
  write("a.npy", {.25, .75}, {2});
  const std::string weighted = "[{ weights = \"a.npy\" }, {}]";
  // KL to the product is at most the square of the costs' spread over epsilon.
  const Outcome independent = solve(load(config("epsilon = 1e7", weighted)));
  EXPECT_NEAR(independent.shape->normalised_entropy.value(), 1, 1e-13);
  const double of_a = -.25 * std::log(.25) - .75 * std::log(.75);
  const Outcome between = solve(load(config("epsilon = 1", weighted)));
  EXPECT_NEAR(between.shape->normalised_entropy.value(),
              (between.shape->entropy - std::log(3)) / of_a, tol<double>(6));
  write("C.npy", {0, 1, 1, 0}, {2, 2});
  const Outcome matching = solve(load(config("epsilon = 0.01")));
  EXPECT_NEAR(matching.shape->normalised_entropy.value(), 0, tol<double>(4));  // e^-100 beside
}

TEST_F(CostFile, may_be_float32_and_in_fortran_order) {
  const std::vector<float> values = {0, 1, 2, 3, 4, 5};
  data::write_npy(folder_.file("C.npy"), values, std::vector<std::int64_t>{2, 3});
  const Problem problem = load(config("epsilon = 0.5"));
  EXPECT_EQ(problem.n(0), 2);
  EXPECT_EQ(problem.n(1), 3);
  EXPECT_EQ(problem.statistics.mean, 2.5);
  EXPECT_EQ(problem.cost.name, "matrix");
  DenseEot dense(problem);
  dense.costs = {0, 1, 2, 3, 4, 5};
  const Outcome result = solve(problem);
  EXPECT_NEAR(*result.objective,
              dense.totals(dense.plan(result.potentials.at(0), result.potentials.at(1))).objective,
              1e-11);
}

/// Costs that no points have: of any sign, and columns that underflow at first.
TEST_F(CostFile, survives_columns_that_underflow) {
  write("C.npy", {0, -3, 2500, 1, 2, 2400, 5, 1, 2600}, {3, 3});
  const Problem problem = load(config("epsilon = 0.05"));
  DenseEot dense(problem);
  dense.costs = {0, -3, 2500, 1, 2, 2400, 5, 1, 2600};
  const Outcome result = solve(problem, "float64", 1e-9);
  EXPECT_TRUE(std::isfinite(*result.objective));
  EXPECT_NEAR(result.dual_value, dense.dual_value(result.potentials.at(0), result.potentials.at(1)),
              1e-9);
}

/// Blocks of equal mass that nothing crosses: each a problem of its own, and log 2 of KL.
TEST_F(CostFile, forbids_pairs_of_infinite_cost) {
  const double inf = std::numeric_limits<double>::infinity();
  const std::vector<double> first = kernels::test::uniform(6, 0, 1, 1);
  const std::vector<double> second = kernels::test::uniform(6, 0, 1, 2);
  const auto value_of = [&](const std::vector<double>& block) {
    write("C.npy", block, {2, 3});
    return *solve(load(config("epsilon = 0.1"))).objective;
  };
  const double expected = (value_of(first) + value_of(second)) / 2 + .1 * std::log(2);
  std::vector<double> costs(24, inf);
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
TEST_F(CostFile, proves_a_value_between_few_allowed_pairs) {
  std::vector<double> costs = kernels::test::uniform(3600, 0, 1, 5);
  for (std::size_t k = 0; k < costs.size(); ++k) {
    const std::size_t offset = (60 + k % 60 - k / 60) % 60;  // each allowed one is a permutation
    if (offset != 0 && offset != 1 && offset != 5 && offset != 11) {
      costs[k] = std::numeric_limits<double>::infinity();
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
TEST_F(CostFile, moves_mass_off_pairs_that_no_plan_can_use) {
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
TEST_F(CostFile, finds_a_plan_where_the_allowed_pairs_carry_one) {
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

TEST_F(CostFile, proves_a_value_between_random_allowed_pairs_at_a_small_epsilon) {
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

TEST_F(CostFile, says_which_rows_make_it_infeasible) {
  write("C.npy", {1, kInfinity, kInfinity, 1, kInfinity, kInfinity, kInfinity, 1, 1}, {3, 3});
  const Problem problem = load(config("epsilon = 0.1"));
  EXPECT_NE(message_of<DataError>([&] { solve(problem); })
                .find("the rows {0, 1} of weight 0.666667 are allowed the columns {0} of weight "
                      "0.333333 alone"),
            std::string::npos);
}

/// What all pairs of a row or column cost changes neither the plan nor the way there.
TEST_F(CostFile, needs_no_more_iterations_where_forbidden_pairs_have_offsets) {
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

TEST_F(CostFile, refuses_points_without_an_allowed_pair) {
  const double inf = std::numeric_limits<double>::infinity();
  const auto refusal = [&](const std::vector<double>& costs, const std::string& marginals = "") {
    write("C.npy", costs, {2, 2});
    return message_of<DataError>([&] { load(config("epsilon = 1", marginals)); });
  };
  EXPECT_NE(refusal({1, 1, inf, inf}).find("row 1 is inf"), std::string::npos);
  EXPECT_NE(refusal({1, inf, 1, inf}).find("column 1 is inf"), std::string::npos);
  EXPECT_NE(refusal({1, -inf, 1, 1}).find("row 0, column 1 is -inf"), std::string::npos);
  write("w.npy", {1, 0}, {2});  // its column of weight is forbidden
  EXPECT_NE(refusal({1, 1, inf, 1}, "[{}, { weights = \"w.npy\" }]").find("row 1 is inf"),
            std::string::npos);
  write("C.npy", {1, inf, 1, 1}, {2, 2});
  EXPECT_NE(message_of<ConfigError>([&] {
              load(config("epsilon = { relative = \"mean\" }"));
            }).find("forbidden pairs"),
            std::string::npos);
}

TEST_F(CostFile, refuses_files_that_do_not_fit) {
  const auto refusal = [&](const std::string& marginals) {
    return message_of<DataError>([&] { load(config("epsilon = 1", marginals)); });
  };
  EXPECT_NE(refusal("").find("C.npy"), std::string::npos);  // missing
  write("C.npy", {0, 1, 1, 0, 2, 3}, {2, 3});
  write("w.npy", {.5, .5}, {2});
  EXPECT_NE(refusal("[{}, { weights = \"w.npy\" }]").find("there are 2, expected 3"),
            std::string::npos);
  EXPECT_NE(refusal("[{ n = 3 }, {}]").find("n = 3, but there are 2 rows"), std::string::npos);
  write("C.npy", {0, 1, 1, std::nan(""), 2, 3}, {2, 3});
  EXPECT_NE(refusal("").find("row 1, column 0 is NaN"), std::string::npos);
  write("C.npy", {0, 1, 1, 2, 2, 3}, {1, 2, 3});
  EXPECT_NE(refusal("").find("C.npy"), std::string::npos);
}

TEST_F(CostFile, refuses_keys_that_do_not_go_together) {
  const auto refusal = [&](const std::string& keys, const std::string& marginals) {
    return message_of<ConfigError>([&] { config(keys, marginals); });
  };
  for (const char* marginal :
       {"{ path = \"x.npy\" }", "{ scale = 2.0 }", "{ rows = [0, 2] }", "{ key = \"k\" }",
        "{ generator = { name = \"gaussian\", n = 3, d = 2 } }", "{ holdout = 0.5 }"}) {
    EXPECT_NE(refusal("epsilon = 1", concat("[{}, ", marginal, "]")).find("knows no points"),
              std::string::npos)
        << marginal;
  }
  EXPECT_NE(refusal("epsilon = 1", "[{}, { normalise = true }]").find("weights"),
            std::string::npos);
  EXPECT_NE(refusal("epsilon = 1", "[{}, { n = -1 }]").find("= -1: expected 0 or more"),
            std::string::npos);
  EXPECT_NE(refusal("epsilon = 1", "[{}]").find("but 1 is given"), std::string::npos);
  const auto text_refusal = [](const std::string& text) {
    return message_of<ConfigError>([&] {
      config::Value resolved{config::Table{}, "", ""};
      config::read<ProblemConfig>(parsed("[problem]\nepsilon = 1\n" + text), "problem", resolved);
    });
  };
  EXPECT_NE(text_refusal("cost = \"matrix\"\n").find("cost_file"), std::string::npos);
  EXPECT_NE(
      text_refusal("cost_file = \"C.npy\"\nmarginals = [{ path = \"x\" }, { path = \"y\" }]\n")
          .find("cost = \"matrix\""),
      std::string::npos);
  EXPECT_NE(
      text_refusal("marginals = [{ path = \"x\", n = 3 }, { path = \"y\" }]\n").find("n is for"),
      std::string::npos);
}

}  // namespace
}  // namespace kantor::test
