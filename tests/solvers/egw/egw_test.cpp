// One rank: closed forms, published numbers, invariances.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "solvers/egw/fitted_alignment.hpp"
#include "solvers/egw/spaces.hpp"
#include "solvers/egw/starts.hpp"
#include "solvers/sinkhorn/sinkhorn.hpp"
#include "tests/solvers/dense_eot.hpp"
#include "tests/solvers/egw/egw_problems.hpp"
#include "tests/support/expect_near.hpp"
#include "tests/support/world.hpp"

namespace kantor::test {
namespace {

egw::EgwConfig precise() {
  egw::EgwConfig config;
  config.tolerance = 1e-9;
  config.starts = 6;
  config.max_steps = 2000;
  return config;
}

sinkhorn::SinkhornConfig precise_solves() {
  sinkhorn::SinkhornConfig config;
  config.tolerance = 1e-10;
  return config;
}

Result solved(const Problem& problem, const egw::EgwConfig& config = precise()) {
  TestRun run(world());
  return egw::solve(config, precise_solves(), problem, run.context);
}

const Array& array(const Result& result, const std::string& name) {
  const auto found = std::find_if(result.arrays.begin(), result.arrays.end(),
                                  [&](const Array& each) { return each.name == name; });
  EXPECT_NE(found, result.arrays.end()) << name;
  return *found;
}

TEST(Egw, of_uniform_laws_is_the_published_value_rather_than_that_of_no_alignment) {
  struct Case {
    double epsilon, value, alignment, trivial;
  };
  for (const Case& each : {Case{1, .9742365486, .1312365050, 1.1817981238},
                           Case{.5, .6562744597, .1513577631, 1.1304091061}}) {
    SCOPED_TRACE(each.epsilon);
    const Result result =
        solved(egw_problem("quadratic", each.epsilon, uniform_cube(60, 1), uniform_cube(60, 1)));
    EXPECT_TRUE(*result.converged);
    EXPECT_NEAR(*result.objective, each.value, 1e-8);
    EXPECT_NEAR(result.own.number("dual_value_at_alignment"), each.value, 1e-8);
    EXPECT_NEAR(std::abs(array(result, "alignment_matrix").values[0]), each.alignment, 1e-6);
    EXPECT_LT(result.own.number("stationarity"), 1e-8);
    const auto starts = result.own.get<std::vector<double>>("starts.objectives");
    EXPECT_NEAR(starts[0], each.trivial, 1e-4);  // A = 0 goes nowhere, and is not what is returned
  }
}

TEST(Egw, of_squares_is_the_least_of_rotated_minima) {
  const Result result =
      solved(egw_problem("quadratic", .25, uniform_cube(16, 2), uniform_cube(16, 2)));
  EXPECT_NEAR(*result.objective, .47422787, 1e-5);
  EXPECT_NEAR(result.own.number("alignment_norm"), .0642420 * std::numbers::sqrt2, 1e-5);
}

TEST(Egw, of_inner_products_between_gaussians_is_the_closed_form) {
  struct Case {
    double x, y, epsilon, value, alignment;
  };
  for (const Case& each : {Case{1, 1.5, 1, 1.6458797346, .55901699},
                           Case{.64, 1.69, .5, 1.8919707420, .48902965}, Case{.5, .5, 2, .5, 0}}) {
    SCOPED_TRACE(each.value);
    const Result result = solved(egw_problem("inner_product", each.epsilon,
                                             gaussian_grid({0}, {std::sqrt(each.x)}, .12),
                                             gaussian_grid({0}, {std::sqrt(each.y)}, .12)));
    EXPECT_NEAR(gaussian_igw({each.x}, {each.y}, each.epsilon), each.value, 1e-9);
    EXPECT_NEAR(*result.objective, each.value, 1e-8);
    EXPECT_NEAR(std::abs(array(result, "alignment_matrix").values[0]), each.alignment,
                each.alignment == 0 ? 1e-3 : 1e-6);
  }
}

/// A plan's value by the definition, over all pairs of pairs.
double by_definition(const Problem& problem, const std::vector<double>& plan) {
  const std::vector<double> x = points_of(problem.clouds[0].marginal);
  const std::vector<double> y = points_of(problem.clouds[1].marginal);
  const auto n = static_cast<std::size_t>(problem.n(0));
  const auto m = static_cast<std::size_t>(problem.n(1));
  const auto between = [&](const std::vector<double>& points, std::size_t d, std::size_t i,
                           std::size_t j) {
    double sum = 0;
    for (std::size_t k = 0; k < d; ++k) {
      const double a = points[i * d + k], b = points[j * d + k];
      sum += problem.cost.name == "quadratic" ? (a - b) * (a - b) : a * b;
    }
    return sum;
  };
  double value = 0;
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < m; ++j) {
      for (std::size_t k = 0; k < n; ++k) {
        for (std::size_t l = 0; l < m; ++l) {
          const double difference = between(x, static_cast<std::size_t>(problem.d(0)), i, k) -
                                    between(y, static_cast<std::size_t>(problem.d(1)), j, l);
          value += plan[i * m + j] * plan[k * m + l] * difference * difference;
        }
      }
    }
  }
  return value;
}

TEST(Egw, is_what_its_definition_says_of_the_plan_of_its_potentials) {
  for (const char* distortion : {"quadratic", "inner_product"}) {
    SCOPED_TRACE(distortion);
    // Clouds of other dimensions, off the origin, with weights.
    const Problem problem = egw_problem(
        distortion, 2,
        make_marginal(kernels::test::uniform(14 * 3, .2, 1.5, 3), 3, random_weights(14, 5, 6)),
        make_marginal(kernels::test::uniform(11 * 2, -1, 1.2, 4), 2));
    const Result result = solved(problem);
    ASSERT_TRUE(*result.converged);
    // The plan of (f, g) and c_A, with A and c_A as the method's page has them.
    const std::vector<double>& a = array(result, "alignment_matrix").values;
    const std::vector<double>& f = array(result, "potentials/0").values;
    const std::vector<double>& g = array(result, "potentials/1").values;
    std::vector<double> x = points_of(problem.clouds[0].marginal);
    std::vector<double> y = points_of(problem.clouds[1].marginal);
    const bool is_centred = problem.cost.name == "quadratic";
    for (std::size_t i = 0; i < x.size() && is_centred; ++i) x[i] -= problem.clouds[0].mean[i % 3];
    for (std::size_t j = 0; j < y.size() && is_centred; ++j) y[j] -= problem.clouds[1].mean[j % 2];
    std::vector<double> plan;
    double kl = 0;
    double mass = 0;
    for (std::size_t i = 0; i < 14; ++i) {
      for (std::size_t j = 0; j < 11; ++j) {
        double xx = 0, yy = 0, xay = 0;
        for (std::size_t k = 0; k < 3; ++k) xx += x[i * 3 + k] * x[i * 3 + k];
        for (std::size_t l = 0; l < 2; ++l) yy += y[j * 2 + l] * y[j * 2 + l];
        for (std::size_t k = 0; k < 3; ++k) {
          for (std::size_t l = 0; l < 2; ++l) xay += x[i * 3 + k] * a[k * 2 + l] * y[j * 2 + l];
        }
        const double cost = is_centred ? -4 * xx * yy - 32 * xay : -8 * xay;
        const double log_density = (f[i] + g[j] - cost) / problem.epsilon;
        const double product = problem.clouds[0].marginal.weight(static_cast<std::int64_t>(i)) *
                               problem.clouds[1].marginal.weight(static_cast<std::int64_t>(j));
        plan.push_back(product > 0 ? product * std::exp(log_density) : 0);
        kl += plan.back() * (product > 0 ? log_density : 0);
        mass += plan.back();
      }
    }
    EXPECT_NEAR(mass, 1, 1e-8);
    EXPECT_NEAR(*result.transport_cost, by_definition(problem, plan), 1e-7);
    EXPECT_NEAR(*result.kl, kl, 1e-7);
    const std::vector<double> product_plan = [&] {
      std::vector<double> all;
      for (std::int64_t i = 0; i < 14; ++i) {
        for (std::int64_t j = 0; j < 11; ++j) {
          all.push_back(problem.clouds[0].marginal.weight(i) *
                        problem.clouds[1].marginal.weight(j));
        }
      }
      return all;
    }();
    EXPECT_NEAR(problem.statistics.mean, by_definition(problem, product_plan), 1e-9);
  }
}

TEST(Egw, falls_with_every_step_and_is_what_the_accelerated_update_comes_to) {
  const Problem problem = egw_problem("quadratic", .5, uniform_cube(40, 1), uniform_cube(40, 1));
  TestRun run(world());
  CheckpointScope nowhere;
  const egw::Spaces spaces(problem);
  const egw::EgwConfig config = precise();
  const sinkhorn::SinkhornConfig inner = precise_solves();
  for (const double a : {.01, -.05, .16}) {
    egw::Alternation alternation(spaces, config, inner, problem.epsilon, "", nowhere, run.context);
    egw::Iterate at({a}, spaces.n(1));
    double before = std::numeric_limits<double>::infinity();
    while (!alternation.is_done(at)) {
      const double value = alternation.step(at).lower;
      EXPECT_LE(value, before + 1e-9);
      before = value;
    }
    EXPECT_LE(at.step, 80);
    EXPECT_NEAR(std::abs(at.alignment[0]), .1513577631, 1e-6);
  }
  egw::EgwConfig accelerated = config;
  accelerated.update = "accelerated";
  // Where the problem is convex: epsilon above 16 sqrt(E|x|^4 E|y|^4) = 3.2.
  const Problem convex =
      egw_problem("quadratic", 4, make_marginal({-1, 0, .5, 2}, 1), make_marginal({-1, 1, 1.5}, 1));
  EXPECT_NEAR(*solved(convex, accelerated).objective, *solved(convex).objective, 1e-6);
}

TEST(Egw, is_the_same_from_more_starts_and_through_larger_epsilons) {
  const Problem problem = egw_problem("quadratic", .5, uniform_cube(40, 1), uniform_cube(40, 1));
  egw::EgwConfig config = precise();
  config.continued = 3;
  config.epsilon_decay.emplace();
  config.epsilon_decay->factor = .5;
  const Result result = solved(problem, config);
  EXPECT_TRUE(*result.converged);
  EXPECT_NEAR(*result.objective, .6562744597, 1e-8);
}

TEST(Egw, of_points_that_are_all_one_is_what_is_between_the_others) {
  const data::Marginal one = make_marginal({1, 2, 1, 2}, 2);
  const data::Marginal y = make_marginal({-1, 0, 1}, 1);
  const Result result = solved(egw_problem("quadratic", .5, one, y));
  EXPECT_NEAR(*result.objective, 4. / 9 + 2. * 16 / 9, 1e-9);  // E |y - y'|^4
}

/// A finished run as eval reads it.
StoredRun stored(const Result& result) {
  StoredRun run;
  run.arrays = result.arrays;
  return run;
}

TEST(FittedAlignment, gives_the_potentials_and_projections_of_the_plan_at_its_own_points) {
  ThreadPool pool(1);
  for (const char* distortion : {"quadratic", "inner_product"}) {
    SCOPED_TRACE(distortion);
    const Problem problem =
        egw_problem(distortion, 2, make_marginal(kernels::test::uniform(14 * 3, .2, 1.5, 3), 3),
                    make_marginal(kernels::test::uniform(11 * 2, -1, 1.2, 4), 2));
    const Result result = solved(problem);
    const egw::FittedAlignment fitted(stored(result), problem, pool);
    const std::vector<double>& a = array(result, "alignment_matrix").values;
    for (std::size_t k = 0; k < 2; ++k) {
      const std::vector<double> points = points_of(problem.clouds[k].marginal);
      const auto from = static_cast<std::int64_t>(k);
      expect_near(fitted.potential(from, points), array(result, concat("potentials/", k)).values,
                  1e-7);
      // E[x y^T] / 2 = A of the projections.
      const Evaluation evaluation = fitted.map(from, points, false);
      const auto own = static_cast<std::size_t>(problem.d(k));
      const auto other = static_cast<std::size_t>(problem.d(1 - k));
      const double n = static_cast<double>(problem.n(k));
      for (std::size_t i = 0; i < own; ++i) {
        for (std::size_t j = 0; j < other; ++j) {
          double moment = 0;
          for (std::size_t row = 0; row < points.size() / own; ++row) {
            const bool is_centred = problem.cost.name == "quadratic";
            moment += (points[row * own + i] - (is_centred ? problem.clouds[k].mean[i] : 0)) *
                      evaluation.map[row * other + j] / n;
          }
          EXPECT_NEAR(moment / 2, k == 0 ? a[i * other + j] : a[j * own + i], 1e-7);
        }
      }
    }
    EXPECT_THROW(fitted.map(0, points_of(problem.clouds[0].marginal), true), UsageError);
  }
}

TEST(Egw, does_not_change_under_orthogonal_maps) {
  const std::vector<double> points = kernels::test::uniform(60 * 2, -1, 1.4, 9);
  const double c = std::cos(.7), s = std::sin(.7);
  std::vector<double> turned(points.size());
  for (std::size_t i = 0; i < points.size(); i += 2) {
    turned[i] = c * points[i] - s * points[i + 1];
    turned[i + 1] = -(s * points[i] + c * points[i + 1]);
  }
  for (const char* distortion : {"quadratic", "inner_product"}) {
    SCOPED_TRACE(distortion);
    const data::Marginal mu = make_marginal(points, 2);
    const double value = *solved(egw_problem(distortion, .4, mu, mu)).objective;
    const double other =
        *solved(egw_problem(distortion, .4, mu, make_marginal(turned, 2))).objective;
    EXPECT_NEAR(other, value, 1e-9 * value);
    egw::EgwConfig debiased = precise();
    debiased.debiased = true;
    const Result result =
        solved(egw_problem(distortion, .4, mu, make_marginal(turned, 2)), debiased);
    EXPECT_NEAR(result.own.number("debiased.value"), 0, 1e-8);
  }
}

data::Marginal features(std::int64_t n, std::uint64_t seed) {
  return make_marginal(kernels::test::uniform(n * 2, .3, 1.9, seed), 2);
}

TEST(FusedEgw, is_eot_of_the_features_at_one_end_and_egw_at_the_other) {
  const data::Marginal x = make_marginal(kernels::test::uniform(15 * 3, -1, 1.2, 3), 3);
  const data::Marginal y = make_marginal(kernels::test::uniform(12 * 2, -1, 1, 4), 2);
  const data::Marginal s = features(15, 5);
  const data::Marginal t = features(12, 6);
  TestRun run(world());
  const Result eot = sinkhorn::solve(precise_solves(), make_problem({}, .5, s, t), run.context);
  const Result none = solved(egw_problem("quadratic", .5, x, y, 0, {s, t}));
  EXPECT_NEAR(*none.objective, *eot.objective, 1e-9);
  EXPECT_TRUE(*none.converged);
  expect_near(array(none, "potentials/0").values, array(eot, "potentials/0").values, 1e-8);
  expect_near(array(none, "potentials/1").values, array(eot, "potentials/1").values, 1e-8);
  const double all = *solved(egw_problem("quadratic", 2, x, y)).objective;
  const double nearly = *solved(egw_problem("quadratic", 2, x, y, 1 - 1e-12, {s, t})).objective;
  EXPECT_NEAR(nearly, all, 1e-9);
}

TEST(FusedEgw, is_what_its_definition_says) {
  constexpr double kAlpha = .3;
  for (const char* distortion : {"quadratic", "inner_product"}) {
    SCOPED_TRACE(distortion);
    const data::Marginal s = features(13, 5);
    const data::Marginal t = features(11, 6);
    const Problem problem =
        egw_problem(distortion, .8, make_marginal(kernels::test::uniform(13 * 2, -.5, 1.2, 3), 2),
                    make_marginal(kernels::test::uniform(11 * 3, -1, 1, 4), 3), kAlpha, {s, t});
    const Result result = solved(problem);
    ASSERT_TRUE(*result.converged);
    // The plan by its potentials and the whole cost c_A of the features too.
    const std::vector<double>& a = array(result, "alignment_matrix").values;
    const std::vector<double>& f = array(result, "potentials/0").values;
    const std::vector<double>& g = array(result, "potentials/1").values;
    std::vector<double> x = points_of(problem.clouds[0].marginal);
    std::vector<double> y = points_of(problem.clouds[1].marginal);
    const bool is_centred = problem.cost.name == "quadratic";
    for (std::size_t i = 0; i < x.size() && is_centred; ++i) x[i] -= problem.clouds[0].mean[i % 2];
    for (std::size_t j = 0; j < y.size() && is_centred; ++j) y[j] -= problem.clouds[1].mean[j % 3];
    const std::vector<double> u = points_of(s);
    const std::vector<double> v = points_of(t);
    std::vector<double> plan;
    double of_features = 0;
    for (std::size_t i = 0; i < 13; ++i) {
      for (std::size_t j = 0; j < 11; ++j) {
        double xx = 0, yy = 0, xay = 0;
        for (std::size_t k = 0; k < 2; ++k) xx += x[i * 2 + k] * x[i * 2 + k];
        for (std::size_t l = 0; l < 3; ++l) yy += y[j * 3 + l] * y[j * 3 + l];
        for (std::size_t k = 0; k < 2; ++k) {
          for (std::size_t l = 0; l < 3; ++l) xay += x[i * 2 + k] * a[k * 3 + l] * y[j * 3 + l];
        }
        const double square =
            std::pow(u[i * 2] - v[j * 2], 2) + std::pow(u[i * 2 + 1] - v[j * 2 + 1], 2);
        const double cost =
            kAlpha * (is_centred ? -4 * xx * yy - 32 * xay : -8 * xay) + (1 - kAlpha) * square;
        plan.push_back(std::exp((f[i] + g[j] - cost) / problem.epsilon) / (13 * 11));
        of_features += plan.back() * square;
      }
    }
    EXPECT_NEAR(*result.transport_cost,
                kAlpha * by_definition(problem, plan) + (1 - kAlpha) * of_features, 1e-7);
  }
}

}  // namespace
}  // namespace kantor::test
