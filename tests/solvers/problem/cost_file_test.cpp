// problem.cost = "matrix": costs from a file, marginals without points.

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "solvers/problem/cost_statistics.hpp"
#include "tests/solvers/dense_eot.hpp"
#include "tests/solvers/problem/cost_file_fixture.hpp"
#include "tests/support/thrown.hpp"
#include "tests/support/tolerance.hpp"

namespace kantor::test {
namespace {

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
