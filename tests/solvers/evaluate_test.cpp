#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "solvers/eot/fitted_pairs.hpp"
#include "solvers/neural/fitted_network.hpp"
#include "solvers/progot/fitted_maps.hpp"
#include "solvers/progot/progot.hpp"
#include "solvers/progot/progot_model.hpp"
#include "solvers/sinkhorn/sinkhorn.hpp"
#include "tests/solvers/small_solve.hpp"
#include "tests/support/thrown.hpp"
#include "tests/support/tolerance.hpp"
#include "tests/support/world.hpp"

namespace kantor::test {
namespace {

/// As it is read back from the folder of the run.
struct Stored {
  std::string solver;
  StoredRun run;
  std::vector<std::vector<double>> potentials;
  std::vector<double> points;

  explicit Stored(std::string name, const Outcome& outcome = {})
      : solver(std::move(name)),
        run{outcome.whole.arrays, outcome.model, outcome.tensors},
        potentials(outcome.potentials),
        points(outcome.points) {}
  Array& array(const std::string& name) { return const_cast<Array&>(*run.find(name)); }
};

Stored solved(const Problem& problem, bool has_divergence = false) {
  TestRun run(world());
  sinkhorn::SinkhornConfig config;
  config.tolerance = 1e-13;
  config.max_iterations = 5000;
  config.divergence = has_divergence;
  return Stored("sinkhorn", sinkhorn::solve(config, problem, run.context));
}

Stored trained(const Problem& problem, const std::string& precision) {
  return Stored("neural", solve_neural(small_network(), problem, world(), precision));
}

Evaluation evaluate(const Problem& problem, const Stored& stored, int marginal,
                    const std::vector<double>& points, bool debiased = false) {
  TestRun run(world());
  std::unique_ptr<Fitted> fitted;
  if (stored.solver == "sinkhorn") {
    fitted = std::make_unique<FittedPairs>(stored.run, problem, run.pool);
  } else if (stored.solver == "neural") {
    fitted = std::make_unique<neural::FittedNetwork>(stored.run, problem, run.pool);
  } else {
    fitted = std::make_unique<progot::FittedMaps>(stored.run, problem, run.pool);
  }
  if (!fitted->has_map()) return {fitted->potential(marginal, points), {}};
  Evaluation at = fitted->map(marginal, points, debiased);
  // By itself it is the same but for the order of sums: of 14 terms and costs below 20.
  const std::vector<double> alone = fitted->potential(marginal, points);
  EXPECT_EQ(alone.size(), at.potential.size());
  for (std::size_t i = 0; i < alone.size(); ++i) {
    EXPECT_NEAR(alone[i], at.potential[i], 1e-11 * (1 + std::abs(alone[i])));
  }
  return at;
}

const std::vector<double> kQuery = {.2, -.1};

TEST(Evaluate, maps_the_query_to_the_published_point) {
  struct Row {
    Cost cost;
    double epsilon;
  };
  for (const Row& row : {Row{{CostKind::sqeuclidean}, .1}, Row{{CostKind::half_sqeuclidean}, .05},
                         Row{{CostKind::dot}, .05}}) {
    const Problem problem = golden_problem(row.cost, row.epsilon);
    const Evaluation at = evaluate(problem, solved(problem), 0, kQuery);
    ASSERT_EQ(at.map.size(), 2u);
    EXPECT_NEAR(at.map[0], 1.192979823116, 1e-11) << cost_name(row.cost.kind);
    EXPECT_NEAR(at.map[1], .880182682733, 1e-11) << cost_name(row.cost.kind);
  }
}

TEST(Evaluate, maps_the_query_to_the_published_point_without_bias) {
  const Problem problem = golden_problem();
  const Stored stored = solved(problem, true);
  const Evaluation at = evaluate(problem, stored, 0, kQuery, true);
  EXPECT_NEAR(at.map[0], 1.104946038227, 1e-11);
  EXPECT_NEAR(at.map[1], 1.321068022173, 1e-11);
  EXPECT_EQ(at.potential, evaluate(problem, solved(problem), 0, kQuery).potential);
}

/// Between equals there is no bias left: the identity.
TEST(Evaluate, maps_a_marginal_to_itself_without_bias) {
  for (const Cost& cost : {Cost{CostKind::sqeuclidean}, Cost{CostKind::pnorm, 1.5}}) {
    const Problem golden = golden_problem();
    const Problem problem =
        make_problem(cost, .5, golden.clouds[0].marginal, golden.clouds[0].marginal);
    for (const int marginal : {0, 1}) {
      const std::vector<double> query = {.3, .4, -.5, .6};
      const Evaluation at = evaluate(problem, solved(problem, true), marginal, query, true);
      for (std::size_t k = 0; k < query.size(); ++k) EXPECT_NEAR(at.map[k], query[k], 1e-6);
    }
  }
}

TEST(Evaluate, refuses_a_self_potential_of_another_length) {
  const Problem problem = golden_problem();
  Stored stored = solved(problem, true);
  Array& own = stored.array("divergence/0");
  own.shape = stored.array("divergence/1").shape;
  own.values = stored.array("divergence/1").values;
  const std::string message =
      message_of<DataError>([&] { evaluate(problem, stored, 0, kQuery, true); });
  EXPECT_NE(message.find("[6]; expected [8]"), std::string::npos) << message;
}

TEST(Evaluate, says_what_could_answer_what_it_cannot) {
  const auto told = [](const Problem& problem, const Stored& stored) {
    TestRun run(world());
    return message_of<UsageError>(
        [&] { FittedPairs(stored.run, problem, run.pool).map(0, kQuery, true); });
  };
  const Problem problem = golden_problem();
  EXPECT_NE(told(problem, solved(problem)).find("solver.sinkhorn.divergence = true"),
            std::string::npos);
  const Problem distances = golden_problem({CostKind::euclidean});
  EXPECT_NE(told(distances, solved(distances)).find("no entropic map"), std::string::npos);
}

TEST(Evaluate, damps_the_potential_of_a_penalised_marginal) {
  Problem problem = golden_problem();
  rho_of(problem) = {1, 2};
  const Stored stored = solved(problem);
  for (const int marginal : {0, 1}) {
    const auto& own = problem.clouds[static_cast<std::size_t>(marginal)].marginal;
    const Evaluation at = evaluate(problem, stored, marginal, points_of(own));
    for (std::size_t i = 0; i < at.potential.size(); ++i) {
      EXPECT_NEAR(at.potential[i], stored.potentials[static_cast<std::size_t>(marginal)][i], 1e-11);
    }
  }
}

TEST(Evaluate, maps_by_the_gradient_of_the_pnorm) {
  const Problem problem = golden_problem({CostKind::pnorm, 1.5});
  const Evaluation at = evaluate(problem, solved(problem), 0, kQuery);
  ASSERT_EQ(at.map.size(), 2u);
  EXPECT_NEAR(at.map[0], 1.070432762926, 1e-11);
  EXPECT_NEAR(at.map[1], .631463508530, 1e-11);
}

/// grad h of a difference grows with each coordinate of it: x - T(x) lies between the differences.
TEST(Evaluate, maps_far_points_into_the_box_of_the_others) {
  for (const double p : {1.5, 2.0, 3.0, 4.0}) {
    const Problem problem = golden_problem({CostKind::pnorm, p});
    const std::vector<double> y = points_of(problem.clouds[1].marginal);
    const std::vector<double> far = {1e6, -1e6, 3e6, 2.0, -7.0, 1e6};
    const Evaluation at = evaluate(problem, solved(problem), 0, far);
    // Powers and their inverses, each right to some digits of the distance.
    const double rounding = 64 * 3e6 * std::numeric_limits<double>::epsilon();
    for (std::size_t i = 0; i < at.map.size(); ++i) {
      double least = y[i % 2], most = y[i % 2];
      for (std::size_t j = i % 2; j < y.size(); j += 2) {
        least = std::min(least, y[j]);
        most = std::max(most, y[j]);
      }
      EXPECT_GE(at.map[i], least - rounding) << p << " " << i;
      EXPECT_LE(at.map[i], most + rounding) << p << " " << i;
    }
  }
}

TEST(Evaluate, names_a_point_whose_costs_are_no_numbers) {
  for (const Cost& cost : {Cost{CostKind::pnorm, 3}, Cost{}}) {
    const Problem problem = golden_problem(cost);
    const std::string message = message_of<DataError>([&] {
      evaluate(problem, solved(problem), 0, {.1, .2, 1e200, -1e200});
    });
    EXPECT_NE(message.find("at point 1 is"), std::string::npos) << message;
  }
}

TEST(Evaluate, has_no_map_for_the_distance) {
  const Problem problem = golden_problem({CostKind::euclidean});
  const Evaluation at = evaluate(problem, solved(problem), 0, kQuery);
  EXPECT_TRUE(at.map.empty());
  EXPECT_EQ(at.potential.size(), 1u);
}

TEST(Evaluate, gives_the_stored_potentials_at_the_points_of_the_run) {
  for (const Cost& cost : kAllCosts) {
    const Problem problem = golden_problem(cost, .2);
    const Stored stored = solved(problem);
    for (const int marginal : {0, 1}) {
      const auto k = static_cast<std::size_t>(marginal);
      const Evaluation at =
          evaluate(problem, stored, marginal, points_of(problem.clouds[k].marginal));
      ASSERT_EQ(at.potential.size(), stored.potentials[k].size());
      for (std::size_t i = 0; i < at.potential.size(); ++i) {
        EXPECT_NEAR(at.potential[i], stored.potentials[k][i], 1e-11)
            << cost_name(cost.kind) << " marginal " << marginal;
      }
    }
  }
}

/// The plan of (c-transform of the other potential, that potential) averages the other points.
TEST(Evaluate, averages_the_other_marginal_from_either_side) {
  const Problem problem = random_problem({}, .2, {.n = 14, .m = 11, .d = 3});
  const DenseEot dense(problem);
  const Stored stored = solved(problem);
  const std::vector<double> x = points_of(problem.clouds[0].marginal);
  const std::vector<double> y = points_of(problem.clouds[1].marginal);
  const std::vector<double> forth = evaluate(problem, stored, 0, x).map;
  const std::vector<double> back = evaluate(problem, stored, 1, y).map;
  ASSERT_EQ(forth.size(), x.size());
  ASSERT_EQ(back.size(), y.size());
  const std::vector<double> plan = dense.plan(stored.potentials[0], stored.potentials[1]);
  for (std::size_t c = 0; c < 3; ++c) {
    for (std::size_t i = 0; i < dense.n; ++i) {
      double mean = 0;
      for (std::size_t j = 0; j < dense.m; ++j) mean += plan[i * dense.m + j] * y[j * 3 + c];
      EXPECT_NEAR(dense.a[i] * forth[i * 3 + c], mean, 1e-11);
    }
    for (std::size_t j = 0; j < dense.m; ++j) {
      double mean = 0;
      for (std::size_t i = 0; i < dense.n; ++i) mean += plan[i * dense.m + j] * x[i * 3 + c];
      EXPECT_NEAR(dense.b[j] * back[j * 3 + c], mean, 1e-11);
    }
  }
}

TEST(Evaluate, gives_the_networks_potential_in_the_stored_gauge) {
  for (const std::string precision : {"float64", "float32"}) {
    const Problem problem = random_problem({}, .3, {.n = 40, .m = 30, .d = 2});
    const Stored stored = trained(problem, precision);
    // f, of the size of costs (12.5), was taken in float: sums over 8 nodes.
    const double tolerance = precision == "float64" ? 1e-12 : tol<float>(8) * 12.5;
    for (const int marginal : {0, 1}) {
      const auto k = static_cast<std::size_t>(marginal);
      const Evaluation at =
          evaluate(problem, stored, marginal, points_of(problem.clouds[k].marginal));
      for (std::size_t i = 0; i < at.potential.size(); ++i) {
        EXPECT_NEAR(at.potential[i], stored.potentials[k][i], tolerance) << marginal;
      }
    }
  }
}

Stored progressed(const Problem& problem, bool is_debiased = false) {
  TestRun run(world());
  progot::ProgotConfig config;
  config.steps = 3;
  config.debiased = is_debiased;
  sinkhorn::SinkhornConfig solves;
  solves.tolerance = 1e-13;
  return Stored("progot", progot::solve(config, solves, problem, run.context));
}

/// Points of the run come by the stored cloud, so that the last step says the rest.
TEST(Evaluate, takes_points_through_all_maps_of_progot) {
  for (const bool is_debiased : {false, true}) {
    for (const Cost& cost : {Cost{CostKind::sqeuclidean}, Cost{CostKind::pnorm, 1.5}}) {
      const Problem problem = golden_problem(cost, .2);
      const Stored stored = progressed(problem, is_debiased);
      const std::vector<double> x = points_of(problem.clouds[0].marginal);
      const Evaluation forth = evaluate(problem, stored, 0, x);
      for (std::size_t i = 0; i < stored.potentials[0].size(); ++i) {
        EXPECT_NEAR(forth.potential[i], stored.potentials[0][i], 1e-10);
      }
      ASSERT_EQ(forth.map.size(), x.size());
      // Without the maps before, from where they have led.
      Stored last = stored;
      last.solver = "sinkhorn";
      const auto model =
          progot::restore_model(stored.run.model, stored.run.tensors, pair_of(problem));
      const Problem moved =
          make_problem(cost, model.epsilons.back(),
                       make_marginal(stored.points, 2, problem.clouds[0].marginal.weights()),
                       problem.clouds[1].marginal);
      const Evaluation step = evaluate(moved, last, 0, stored.points);
      for (std::size_t i = 0; i < x.size() && !is_debiased; ++i) {
        EXPECT_NEAR(forth.map[i], step.map[i], 1e-10);
      }
      const Evaluation back = evaluate(problem, stored, 1, points_of(problem.clouds[1].marginal));
      for (std::size_t j = 0; j < stored.potentials[1].size(); ++j) {
        EXPECT_NEAR(back.potential[j], stored.potentials[1][j], 1e-10);
      }
      ASSERT_EQ(back.map.size(), 2 * stored.potentials[1].size());
    }
  }
}

/// Row i of the last plan is the point that was given, wherever it has moved.
TEST(Evaluate, averages_the_given_points_by_the_last_plan_of_progot) {
  const Problem problem = golden_problem({CostKind::half_sqeuclidean}, .1);
  const Stored stored = progressed(problem);
  const DenseEot moved(
      make_problem(problem.cost.kernel, problem.epsilon,
                   make_marginal(stored.points, 2, problem.clouds[0].marginal.weights()),
                   problem.clouds[1].marginal));
  const std::vector<double> plan = moved.plan(stored.potentials[0], stored.potentials[1]);
  const std::vector<double> x = points_of(problem.clouds[0].marginal);
  const Evaluation back = evaluate(problem, stored, 1, points_of(problem.clouds[1].marginal));
  for (std::size_t j = 0; j < moved.m; ++j) {
    for (std::size_t c = 0; c < 2; ++c) {
      double mean = 0;
      for (std::size_t i = 0; i < moved.n; ++i) mean += plan[i * moved.m + j] * x[i * 2 + c];
      EXPECT_NEAR(back.map[j * 2 + c], mean / moved.b[j], 1e-11);
    }
  }
}

TEST(Evaluate, refuses_a_model_of_progot_that_does_not_fit) {
  const Problem problem = golden_problem();
  const Stored whole = progressed(problem, true);
  const auto refused = [&](const Stored& stored, int marginal, const std::string& says) {
    const std::string message =
        message_of<DataError>([&] { evaluate(problem, stored, marginal, kQuery); });
    EXPECT_NE(message.find(says), std::string::npos) << message;
  };
  const auto replaced = [&](const std::string& from, const std::string& to) {
    Stored stored = whole;
    std::string text = stored.run.model.json();
    const auto at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    stored.run.model = Record::parse(text.replace(at, from.size(), to));
    return stored;
  };
  refused(replaced("\"version\": 1", "\"version\": 2"), 0, "version 2");
  refused(replaced("\"m\": 6", "\"m\": 7"), 0, "not the problem of this run");
  refused(replaced("sqeuclidean", "dot"), 0, "not the problem of this run");
  refused(replaced("\"alphas\"", "\"alpha\""), 0, "model.json is damaged");
  for (std::size_t t = 0; t < 2; ++t) {
    Stored stored = whole;
    stored.run.tensors[t].shape[1] += 1;
    refused(stored, 0, "no tensor " + whole.run.tensors[t].name);
    stored = whole;
    stored.run.tensors.erase(stored.run.tensors.begin() + static_cast<std::ptrdiff_t>(t));
    refused(stored, 0, "no tensor " + whole.run.tensors[t].name);
  }
  Stored stored = whole;
  stored.array("points").values.pop_back();
  refused(stored, 1, "points.npy");
}

TEST(Evaluate, takes_no_points_at_all) {
  const Problem problem = golden_problem();
  const Evaluation at = evaluate(problem, solved(problem), 1, {});
  EXPECT_TRUE(at.potential.empty());
  EXPECT_TRUE(at.map.empty());
}

TEST(Evaluate, refuses_what_does_not_fit_the_run) {
  const Problem problem = golden_problem();
  const Stored whole = solved(problem);
  const auto refused = [&](const Stored& stored, int marginal, const std::vector<double>& points,
                           const std::string& says) {
    const std::string message =
        message_of<DataError>([&] { evaluate(problem, stored, marginal, points); });
    EXPECT_NE(message.find(says), std::string::npos) << message;
  };
  refused(whole, 2, kQuery, "no marginal 2");
  refused(whole, -1, kQuery, "no marginal -1");
  refused(whole, 0, {1, 2, 3}, "dimension 2");
  for (std::size_t k = 0; k < 2; ++k) {
    Stored stored = whole;
    stored.array(concat("potentials/", k)).values.pop_back();
    refused(stored, 0, kQuery, concat("potentials/", k));
    refused(stored, 1, kQuery, concat("potentials/", k));
  }
  refused(Stored("sinkhorn"), 0, kQuery, "potentials/0.npy of the run is missing");
  Stored damaged = whole;
  damaged.solver = "neural";
  refused(damaged, 0, kQuery, "model.json is damaged");
  Stored other = trained(random_problem({}, .3, {.n = 8, .m = 6, .d = 3}), "float64");
  refused(other, 0, kQuery, "dimension 3");
}

}  // namespace
}  // namespace kantor::test
