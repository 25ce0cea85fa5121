#include "solvers/problem/closed_forms.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "solvers/problem/gaussian.hpp"

namespace kantor {
namespace {

using kernels::CostKind;

const data::GaussianLaw kMu1{{.3}, {.64}};
const data::GaussianLaw kNu1{{-.5}, {1.69}};
const data::GaussianLaw kMu2{{.2, -.1}, {1, .4, .4, .5}};
const data::GaussianLaw kNu2{{-.3, .4}, {.6, -.2, -.2, .9}};

// Published or computed without this code (Gauss-Hermite log-Sinkhorn), to the digits printed.
constexpr double kHalfDigit = 5.1e-11;

TEST(GaussianValue, gives_the_published_values_in_one_dimension) {
  struct Row {
    double epsilon, value, half_value;
  };
  for (const Row& row : {Row{2, 2.1652667307, 1.2422124463}, Row{1, 1.8159956050, 1.0826333653},
                         Row{.5, 1.5113847982, .9079978025}}) {
    EXPECT_NEAR(gaussian_value(kMu1, kNu1, CostKind::sqeuclidean, row.epsilon), row.value,
                kHalfDigit);
    EXPECT_NEAR(gaussian_value(kMu1, kNu1, CostKind::half_sqeuclidean, row.epsilon), row.half_value,
                kHalfDigit);
  }
}

TEST(GaussianValue, gives_the_published_values_in_two_dimensions) {
  EXPECT_NEAR(gaussian_value(kMu2, kNu2, CostKind::sqeuclidean, 1), 2.3270294119, kHalfDigit);
  EXPECT_NEAR(gaussian_value(kMu2, kNu2, CostKind::sqeuclidean, .5), 1.9022254012, kHalfDigit);
}

TEST(GaussianValue, gives_the_published_values_of_standard_to_narrow) {
  const data::GaussianLaw mu{{0}, {1}};
  const data::GaussianLaw nu{{2}, {.25}};
  constexpr double kLastDigit = 5.1e-13;
  EXPECT_NEAR(gaussian_value(mu, nu, CostKind::sqeuclidean, .1), 4.416378994428, kLastDigit);
  EXPECT_NEAR(gaussian_value(mu, nu, CostKind::sqeuclidean, .5), 4.704377004122, kLastDigit);
  EXPECT_NEAR(gaussian_value(mu, nu, CostKind::sqeuclidean, 1), 4.872571923780, kLastDigit);
}

TEST(GaussianValue, changes_with_the_cost_as_the_problem_does) {
  const double squares = .04 + .01 + 1.5 + .09 + .16 + 1.5;  // E|x|^2 + E|y|^2
  for (const double epsilon : {.05, .5, 3.0}) {
    const double half = gaussian_value(kMu2, kNu2, CostKind::half_sqeuclidean, epsilon);
    EXPECT_NEAR(half, gaussian_value(kMu2, kNu2, CostKind::sqeuclidean, 2 * epsilon) / 2, 1e-14);
    EXPECT_NEAR(gaussian_value(kMu2, kNu2, CostKind::dot, epsilon), half - squares / 2, 1e-14);
  }
}

TEST(GaussianValue, does_not_depend_on_the_order_of_the_laws) {
  EXPECT_NEAR(gaussian_value(kMu2, kNu2, CostKind::sqeuclidean, .3),
              gaussian_value(kNu2, kMu2, CostKind::sqeuclidean, .3), 1e-13);
}

TEST(GaussianValue, holds_for_singular_covariances) {
  const data::GaussianLaw line{{.3, 0}, {.64, 0, 0, 0}};
  const data::GaussianLaw same_line{{-.5, 0}, {1.69, 0, 0, 0}};
  const data::GaussianLaw other_line{{-.5, 0}, {0, 0, 0, 1.69}};
  const data::GaussianLaw point{{-.5, 0}, {0, 0, 0, 0}};
  EXPECT_NEAR(gaussian_value(line, same_line, CostKind::sqeuclidean, 2), 2.1652667307, kHalfDigit);
  // Independent coordinates: the product coupling is the only one that matters.
  EXPECT_NEAR(gaussian_value(line, other_line, CostKind::sqeuclidean, 2), .64 + .64 + 1.69, 1e-14);
  EXPECT_NEAR(gaussian_value(line, point, CostKind::sqeuclidean, 2), .64 + .64, 1e-14);
  EXPECT_NEAR(gaussian_value(point, point, CostKind::sqeuclidean, 2), 0, 1e-14);
}

TEST(GaussianValue, refuses_costs_without_a_closed_form) {
  EXPECT_THROW(gaussian_value(kMu1, kNu1, CostKind::euclidean, 1), ValueError);
  EXPECT_THROW(gaussian_value(kMu1, kNu1, CostKind::pnorm, 1), ValueError);
}

TEST(UnitInterval, gives_the_published_values_of_cubes) {
  struct Row {
    double d;
    std::vector<double> values;  // epsilon = 1, .5, .1, .05
  };
  const std::vector<Row> table = {{1, {.4724100500, .3579516246, .1383276921, .0848640077}},
                                  {5, {.6225180961, .5800472028, .3579516246, .2474399662}},
                                  {8, {.6389617695, .6116843242, .4371852737, .3205288108}},
                                  {128, {.6649305735, .6631945876, .6493234113, .6320863312}}};
  const std::vector<double> epsilons = {1, .5, .1, .05};
  for (const Row& row : table) {
    for (std::size_t k = 0; k < epsilons.size(); ++k) {
      EXPECT_NEAR(unit_interval_value(row.d * epsilons[k]), row.values[k], kHalfDigit)
          << "d = " << row.d << ", epsilon = " << epsilons[k];
    }
  }
}

TEST(UnitInterval, holds_for_small_epsilon) {  // 140 nodes, in Python
  EXPECT_NEAR(unit_interval_value(.02), .04253049687444007, 1e-13);
  EXPECT_NEAR(unit_interval_value(.01), .02458532531060008, 1e-13);
  EXPECT_NEAR(unit_interval_value(.005), .013974032362978036, 1e-10);
}

ProblemConfig generated(const std::string& first, const std::string& second) {
  ProblemConfig config;
  config.epsilon.value = .5;
  for (const std::string& name : {first, second}) {
    data::MarginalConfig marginal;
    marginal.generator = data::GeneratorConfig{.name = name, .n = 10, .d = 1};
    if (name == "gaussian") {
      marginal.generator->mean = {config.marginals.empty() ? .3 : -.5};
      marginal.generator->covariance = {config.marginals.empty() ? .64 : 1.69};
    }
    config.marginals.push_back(marginal);
  }
  return config;
}

TEST(ClosedForm, knows_pairs_of_gaussians_and_of_cubes) {
  const auto gaussians = closed_form(generated("gaussian", "gaussian"), .5);
  ASSERT_TRUE(gaussians);
  EXPECT_NEAR(gaussians->value, 1.5113847982, kHalfDigit);
  EXPECT_NE(gaussians->source.find("Gaussians"), std::string::npos);
  const auto cubes = closed_form(generated("uniform_cube", "uniform_cube"), .5);
  ASSERT_TRUE(cubes);
  EXPECT_NEAR(cubes->value, .3579516246, kHalfDigit);

  ProblemConfig eight = generated("uniform_cube", "uniform_cube");
  for (auto& marginal : eight.marginals) marginal.generator->d = 8;
  EXPECT_NEAR(closed_form(eight, .5)->value, .6116843242, kHalfDigit);
  EXPECT_TRUE(closed_form(eight, .0007));  // d * epsilon counts
  EXPECT_FALSE(closed_form(eight, .0006));
}

TEST(ClosedForm, claims_nothing_about_other_problems) {
  EXPECT_FALSE(closed_form(generated("gaussian", "uniform_cube"), .5));
  EXPECT_FALSE(closed_form(generated("gaussian_mixture", "gaussian_mixture"), .5));
  ProblemConfig config = generated("gaussian", "gaussian");
  config.cost = "euclidean";
  EXPECT_FALSE(closed_form(config, .5));
  config = generated("gaussian", "gaussian");
  config.marginals[0].scale = 2;
  EXPECT_FALSE(closed_form(config, .5));
  config = generated("gaussian", "gaussian");
  config.cost = "cosine";
  EXPECT_FALSE(closed_form(config, .5));
  config = generated("gaussian", "gaussian");
  config.terms = EotTerms{{.y = 1}};
  EXPECT_FALSE(closed_form(config, .5));
  config = generated("gaussian", "gaussian");
  config.marginals[1].weights = "w.npy";
  EXPECT_FALSE(closed_form(config, .5));
  config = generated("gaussian", "gaussian");
  config.marginals[1].generator.reset();
  config.marginals[1].path = "y.npy";
  EXPECT_FALSE(closed_form(config, .5));
  config = generated("uniform_cube", "uniform_cube");
  config.cost = "dot";
  EXPECT_FALSE(closed_form(config, .5));
}

}  // namespace
}  // namespace kantor
