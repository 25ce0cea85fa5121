// cost = "cosine": 1 - <x, y> / (|x| |y|), from the configuration to eval.

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "runtime/data/npy.hpp"
#include "solvers/neural/fitted_network.hpp"
#include "solvers/neural/neural_config.hpp"
#include "solvers/registry.hpp"
#include "tests/runtime/config/config_text.hpp"
#include "tests/solvers/dense_eot.hpp"
#include "tests/support/temporary_directory.hpp"
#include "tests/support/thrown.hpp"
#include "tests/support/world.hpp"

namespace kantor::test {
namespace {

class CosineCost : public testing::Test {
 protected:
  CosineCost() {
    x_ = kernels::test::uniform(9 * 3, .2, 2, 1);
    y_ = kernels::test::uniform(7 * 3, -1, 1, 2);
    for (std::size_t k = 0; k < 3; ++k) x_[k] *= 1e-200;  // its square is 0 in double
    for (std::size_t k = 0; k < 3; ++k) y_[k] *= 1e200;   // and inf
    write();
  }
  void write() const {
    data::write_npy(folder_.file("x.npy"), x_, std::vector<std::int64_t>{9, 3});
    data::write_npy(folder_.file("y.npy"), y_, std::vector<std::int64_t>{7, 3});
  }
  Configuration configuration(const std::string& solver = "sinkhorn",
                              const std::string& marginal_keys = "") const {
    config::Value resolved{config::Table{}, "", ""};
    return read_configuration(
        parsed("[problem]\nepsilon = 0.1\ncost = \"cosine\"\n[[problem.marginals]]\npath = \"" +
               folder_.file("x.npy") + "\"\n" + marginal_keys + "[[problem.marginals]]\npath = \"" +
               folder_.file("y.npy") + "\"\n[solver]\nname = \"" + solver +
               "\"\n[solver.sinkhorn]\ntolerance = 1e-12\n[run]\nprecision = \"float64\"\n"),
        resolved);
  }
  /// [9, 7], written out.
  std::vector<double> costs(double sign = 1) const {
    std::vector<double> result;
    for (std::size_t i = 0; i < 9; ++i) {
      for (std::size_t j = 0; j < 7; ++j) {
        double product = 0, length_x = 0, length_y = 0;
        for (std::size_t k = 0; k < 3; ++k) {
          const double u = x_[3 * i + k] * (i == 0 ? 1e200 : 1);
          const double v = y_[3 * j + k] * (j == 0 ? 1e-200 : 1);
          product += u * v;
          length_x += u * u;
          length_y += v * v;
        }
        result.push_back(1 - sign * product / std::sqrt(length_x * length_y));
      }
    }
    return result;
  }

  TemporaryDirectory folder_;
  std::vector<double> x_, y_;
};

TEST_F(CosineCost, is_solved_with_the_plan_of_its_matrix) {
  for (const double sign : {1.0, -1.0}) {
    const Configuration config = configuration("sinkhorn", sign < 0 ? "scale = -3\n" : "");
    TestRun run(world());
    const Problem problem = load_problem(config.problem, run.context);
    const Outcome result = solve(config, problem, run.context);
    EXPECT_EQ(result.whole.cost, "cosine");
    EXPECT_FALSE(result.whole.reference);
    DenseEot dense(problem);
    dense.costs = costs(sign);
    double mean = 0;
    for (const double cost : dense.costs) mean += cost / 63;
    EXPECT_NEAR(result.whole.epsilon_relative, .1 / mean, 1e-13);
    const auto totals = dense.totals(dense.plan(result.potentials.at(0), result.potentials.at(1)));
    EXPECT_NEAR(*result.objective, totals.objective, 1e-11);
    EXPECT_NEAR(*result.transport_cost, totals.transport_cost, 1e-11);
    EXPECT_NEAR(result.dual_value, *result.objective, 1e-11);
  }
}

TEST_F(CosineCost, has_potentials_at_new_points_but_no_map) {
  const Configuration config = configuration();
  TestRun run(world());
  const Problem problem = load_problem(config.problem, run.context);
  const Outcome result = solve(config, problem, run.context);
  const FittedPairs fitted({result.whole.arrays, {}, {}}, problem, run.pool);
  EXPECT_FALSE(fitted.has_map());
  std::vector<double> longer = x_;
  for (double& value : longer) value *= 7;  // lengths do not count
  const std::vector<double> at = fitted.potential(0, longer);
  for (std::size_t i = 0; i < 9; ++i) EXPECT_NEAR(at[i], result.potentials[0][i], 1e-11);
  const std::vector<double> zero = {1, 2, 3, 0, 0, 0};
  const std::string message =
      message_of<DataError>([&] { static_cast<void>(fitted.potential(0, zero)); });
  EXPECT_NE(message.find("point 1"), std::string::npos) << message;
}

TEST_F(CosineCost, refuses_a_vector_without_direction) {
  for (std::size_t k = 0; k < 3; ++k) y_[3 * 4 + k] = 0;
  write();
  TestRun run(world());
  const std::string message =
      message_of<DataError>([&] { load_problem(configuration().problem, run.context); });
  EXPECT_NE(message.find("y.npy: row 4"), std::string::npos) << message;
}

TEST_F(CosineCost, is_not_for_solvers_that_move_points) {
  const std::string message = message_of<ConfigError>([&] { configuration("progot"); });
  EXPECT_NE(message.find("cosine"), std::string::npos) << message;
}

TEST_F(CosineCost, trains_a_network_of_directions) {
  Configuration config = configuration("neural");
  neural::NeuralConfig network;
  network.training.steps = 5;
  network.batch = 4;
  config.tables.set(network);
  TestRun run(world());
  const Problem problem = load_problem(config.problem, run.context);
  const Outcome result = solve(config, problem, run.context);
  const neural::FittedNetwork fitted({result.whole.arrays, result.model, result.tensors}, problem,
                                     run.pool);
  const std::vector<double> at = fitted.potential(0, x_);
  for (std::size_t i = 0; i < 9; ++i) EXPECT_NEAR(at[i], result.potentials[0][i], 1e-11);
}

}  // namespace
}  // namespace kantor::test
