#pragma once

// Small problems made of arrays, and the context to solve them in.
// Shapes: N points x, M points y, D dimensions.

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "distributed/context.hpp"
#include "runtime/data/moments.hpp"
#include "runtime/data/row_sources.hpp"
#include "solvers/eot/pair.hpp"
#include "solvers/problem/kind.hpp"
#include "tests/runtime/kernels/golden_case.hpp"
#include "tests/runtime/kernels/random_problem.hpp"
#include "tests/solvers/outcome.hpp"
#include "tests/support/memory_checkpoints.hpp"

namespace kantor::test {

using kernels::Cost;
using kernels::CostKind;

inline const std::vector<Cost> kAllCosts = {{CostKind::sqeuclidean},
                                            {CostKind::half_sqeuclidean},
                                            {CostKind::dot},
                                            {CostKind::euclidean},
                                            {CostKind::pnorm, 1.5}};

/// What a Context refers to, with nothing on the terminal but warnings.
struct TestRun {
  RunConfig run;
  ThreadPool pool{1};
  Log log{{.rank = 0, .quiet = true}};
  metrics::MetricsFile metrics;
  MemoryCheckpoints checkpoints;
  ToldToStop stop;
  Context context;

  explicit TestRun(Communicator& world, const std::string& precision = "float64")
      : context{.run = run,
                .world = world,
                .pool = pool,
                .log = log,
                .metrics = metrics,
                .checkpoints = checkpoints,
                .stop = &stop} {
    run.precision = precision;
  }
};

/// @param points  [n, D] row-major.
/// @param weights [n] summing to 1, or empty.
inline data::Marginal make_marginal(const std::vector<double>& points, std::int64_t d,
                                    std::vector<double> weights = {}, double holdout = 0) {
  const auto n = static_cast<std::int64_t>(points.size()) / d;
  return {"array", data::memory_rows(points, n, d), {}, 1, std::move(weights), holdout, 0};
}

inline Cloud make_cloud(data::Marginal marginal) {
  std::vector<double> mean = data::partial_mean(marginal, 0, marginal.n());
  return {std::move(marginal), std::move(mean)};
}

inline std::vector<double> points_of(const data::Marginal& marginal) {
  std::vector<double> points(static_cast<std::size_t>(marginal.n() * marginal.d()));
  marginal.read_range<double>(0, marginal.n(), {}, points.data());
  return points;
}

inline Penalty& rho_of(Problem& problem) { return std::get<EotTerms>(problem.terms).rho; }
inline Penalty rho_of(const Problem& problem) { return penalty_of(problem.terms); }

/// [N, M], from the definition of the cost.
inline std::vector<double> costs_of(const Problem& problem) {
  const std::vector<double> x = points_of(problem.clouds[0].marginal);
  const std::vector<double> y = points_of(problem.clouds[1].marginal);
  return kernels::reference::dense_costs<double>(problem.cost.kernel,
                                                 {x.data(), problem.n(0), problem.d()},
                                                 {y.data(), problem.n(1), problem.d()});
}

/// As load_problem() would leave it, on this rank alone.
inline Problem make_problem(const Cost& cost, double epsilon, data::Marginal x, data::Marginal y) {
  Problem problem;
  problem.kind = &kEotKind;
  problem.cost = {.name = cost_name(cost.kind), .kernel = cost};
  problem.epsilon = epsilon;
  problem.clouds = {make_cloud(std::move(x)), make_cloud(std::move(y))};
  const std::vector<double> costs = costs_of(problem);
  for (std::size_t i = 0; i < costs.size(); ++i) {
    const auto row = static_cast<std::int64_t>(i);
    problem.statistics.mean += problem.clouds[0].marginal.weight(row / problem.n(1)) *
                               problem.clouds[1].marginal.weight(row % problem.n(1)) * costs[i];
  }
  return problem;
}

inline CostStatistics statistics_of(const Problem& problem, bool with_standard_deviation,
                                    Context& context) {
  return cost_statistics(problem.cost, problem.clouds[0], problem.clouds[1],
                         with_standard_deviation, context);
}

inline Problem golden_problem(const Cost& cost = {CostKind::sqeuclidean}, double epsilon = .1) {
  const kernels::test::GoldenCase golden;
  return make_problem(cost, epsilon, make_marginal(golden.x, 2, golden.a),
                      make_marginal(golden.y, 2, golden.b));
}

/// Positive weights summing to 1, but every `stride`-th 0.
inline std::vector<double> random_weights(std::int64_t n, std::uint64_t seed, std::size_t stride) {
  std::vector<double> weights = kernels::test::uniform(n, .5, 1.5, seed);
  for (std::size_t i = stride - 1; i < weights.size(); i += stride) weights[i] = 0;
  double total = 0;
  for (const double weight : weights) total += weight;
  for (double& weight : weights) weight /= total;
  return weights;
}

struct Sizes {
  std::int64_t n, m, d;
  double holdout = 0;
};

/// Points in cubes of side 2 about 1 and about .5; weights with zeros among them.
inline Problem random_problem(const Cost& cost, double epsilon, const Sizes& sizes) {
  return make_problem(cost, epsilon,
                      make_marginal(kernels::test::uniform(sizes.n * sizes.d, 0, 2, 11), sizes.d,
                                    random_weights(sizes.n, 12, 5), sizes.holdout),
                      make_marginal(kernels::test::uniform(sizes.m * sizes.d, -.5, 1.5, 13),
                                    sizes.d, random_weights(sizes.m, 14, 4), sizes.holdout));
}

/// Few x and so many y that a pass over the pairs is made in several parts on each of 4 ranks.
inline Problem problem_in_parts() {
  Problem problem = random_problem({}, .5, {.n = 8, .m = 8, .d = 1});
  problem.clouds = {make_cloud(make_marginal(kernels::test::uniform(800, 0, 2, 11), 1)),
                    make_cloud(make_marginal(kernels::test::uniform(1 << 17, -.5, 1.5, 13), 1))};
  return problem;
}

/// Nodes of a Gaussian law that integrate smooth functions to rounding: the trapezoidal rule on
/// mean + L z, z on a grid of +-7.5 in each of D dimensions. @param lower L [D, D], D = 1 or 2.
inline data::Marginal gaussian_grid(const std::vector<double>& mean,
                                    const std::vector<double>& lower, double step) {
  const std::size_t d = mean.size();
  std::vector<double> axis;
  for (double z = -7.5; z < 7.5 + step / 2; z += step) axis.push_back(z);
  const std::vector<double> second = d == 2 ? axis : std::vector<double>{0.0};
  std::vector<double> points;
  std::vector<double> weights;
  double total = 0;
  for (const double z0 : axis) {
    for (const double z1 : second) {
      points.push_back(mean[0] + lower[0] * z0);
      if (d == 2) points.push_back(mean[1] + lower[2] * z0 + lower[3] * z1);
      weights.push_back(std::exp(-(z0 * z0 + z1 * z1) / 2));
      total += weights.back();
    }
  }
  for (double& weight : weights) weight /= total;
  return make_marginal(points, static_cast<std::int64_t>(d), weights);
}

}  // namespace kantor::test
