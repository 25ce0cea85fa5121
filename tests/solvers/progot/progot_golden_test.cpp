// Numbers that no code of ours computed: ProgOT on the golden case (half_sqeuclidean, constant
// speed, four solves to machine precision). Row k of the table is the LAST solve of a run of k + 1
// solves, since an alpha matters only after its solve.

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <vector>

#include "solvers/progot/progot.hpp"
#include "solvers/progot/progot_model.hpp"
#include "tests/solvers/progot/dense_progot.hpp"
#include "tests/support/expect_near.hpp"
#include "tests/support/world.hpp"

namespace kantor::test {
namespace {

constexpr double kPrinted = 1e-11;  // twelve decimals are given
const std::vector<double> kQuery = {.2, -.1};
const std::vector<double> kAlphas = {1. / 4, 1. / 3, 1. / 2, 1};

struct Row {
  double epsilon, entropy, transport_cost;
  std::vector<double> map;  ///< of the query, by this step alone
  std::vector<double> g;
};
const std::vector<Row> kRows = {
    {.061553450349,
     2.686400802300,
     .933163115729,
     {1.184061973138, .862287748470},
     {.282676641291, .607316315078, .669747334778, 1.351000184470, .768738645599, 1.668426320205}},
    {.040845473350,
     2.610566212661,
     .929393424909,
     {1.197583252806, .889619779937},
     {.049254917447, .286321791494, .349835938162, .861998872724, .371659414611, 1.073557846167}},
    {.025782568963,
     2.514831688724,
     .926817188952,
     {1.204728004457, .898775036949},
     {-.077372846740, .075180917011, .138601801021, .488676498322, .118188761219, .599993856966}},
    {.016526595956,
     2.471173648972,
     .927109774997,
     {1.206041369661, .899984450768},
     {-.101262212940, -.030516685859, .024737855501, .236600298026, .006711487650, .258855524328}}};
const std::vector<std::vector<double>> kMovedQuery = {
    {.446015493284, .140571937117}, {.696538079792, .390254551391}, {.950633042125, .644514794170}};

/// The first `count` of the four solves, all to machine precision.
Outcome solve_first(std::size_t count, const Problem& problem, std::vector<double> epsilons,
                    TestRun& run) {
  progot::ProgotConfig config;
  config.alphas.assign(kAlphas.begin(), kAlphas.begin() + static_cast<std::ptrdiff_t>(count));
  config.alphas.back() = 1;
  config.steps = static_cast<std::int64_t>(count);
  config.epsilons = std::move(epsilons);
  config.first_tolerance = 0;
  config.check();
  sinkhorn::SinkhornConfig solves;
  solves.tolerance = 1e-13;
  return progot::solve(config, solves, problem, run.context);
}

std::vector<double> map_of_query(const Outcome& result, const Problem& problem, TestRun& run,
                                 const std::vector<double>& query = kQuery) {
  const auto model = progot::restore_model(result.model, result.tensors, pair_of(problem));
  return progot::transport(model, pair_of(problem), query, run.pool).map;
}

/// 5 % of the plain mean of the costs.
double plain_epsilon(const std::vector<double>& costs) {
  return .05 * std::accumulate(costs.begin(), costs.end(), 0.0) / static_cast<double>(costs.size());
}

TEST(ProgotGolden, reaches_every_row_of_the_published_table) {
  const Problem problem = golden_problem({CostKind::half_sqeuclidean}, .05);
  std::vector<double> epsilons = {plain_epsilon(costs_of(problem))};
  std::vector<double> moved = kQuery;
  for (std::size_t k = 0; k < kRows.size(); ++k) {
    SCOPED_TRACE(concat("row ", k));
    EXPECT_NEAR(epsilons.back(), kRows[k].epsilon, kPrinted);
    TestRun run(world());
    const Outcome result = solve_first(k + 1, problem, epsilons, run);
    EXPECT_TRUE(result.converged.value());
    EXPECT_EQ(result.epsilons, epsilons);
    EXPECT_NEAR(result.shape->entropy, kRows[k].entropy, kPrinted);
    EXPECT_NEAR(*result.transport_cost, kRows[k].transport_cost, kPrinted);
    EXPECT_NEAR(result.shape->entropy, 1.991346413411 + 1.735126456963 - *result.kl, kPrinted);
    expect_near(result.potentials.at(1), kRows[k].g, kPrinted);
    const std::vector<double> map = map_of_query(result, problem, run);
    expect_near(map, kRows[k].map, kPrinted);

    if (k + 1 == kRows.size()) break;
    for (std::size_t c = 0; c < 2; ++c) moved[c] += kAlphas[k] * (map[c] - moved[c]);
    expect_near(moved, kMovedQuery[k], kPrinted);
    // The cloud that the next solve starts from gives the next epsilon.
    std::vector<double> next = epsilons;
    next.push_back(1);
    const Outcome further = solve_first(k + 2, problem, next, run);
    epsilons.push_back(plain_epsilon(costs_of(make_problem(
        problem.cost.kernel, 1, make_marginal(further.points, 2), problem.clouds[1].marginal))));
  }
}

TEST(ProgotGolden, takes_a_relative_epsilon_anew_of_each_steps_weighted_cloud) {
  Problem problem = golden_problem({CostKind::half_sqeuclidean}, 1);
  problem.rule = {.value = 0, .relative = "mean", .scale = .05};
  problem.epsilon = .05 * problem.statistics.mean;
  TestRun run(world());
  const Outcome result = solve_first(4, problem, {}, run);
  expect_near(result.epsilons, {.068112185684, .045931436215, .029473116768, .018793647671},
              kPrinted);
  EXPECT_NEAR(result.shape->entropy, 2.480762539584, kPrinted);
  EXPECT_NEAR(*result.transport_cost, .927248047100, kPrinted);
  expect_near(map_of_query(result, problem, run), {1.205990968501, .899940328130}, kPrinted);
}

/// Where a well-known implementation mixes the original points with the map of the moved ones, it
/// comes to (1.11050922, .83283736).
TEST(ProgotGolden, moves_the_points_as_they_are_by_then) {
  const kernels::test::GoldenCase golden;
  const Problem problem = make_problem({CostKind::sqeuclidean}, .6, make_marginal(golden.x, 2),
                                       make_marginal(golden.y, 2));
  TestRun run(world());
  const Outcome result = solve_first(4, problem, {.6, .4, .25, .15}, run);
  expect_near(map_of_query(result, problem, run), {1.006144787255, .623806646824}, kPrinted);
}

/// 5 % of the plain mean of each step's costs, as the published counts were taken.
TEST(ProgotGolden, needs_the_published_number_of_iterations) {
  const Problem problem = golden_problem({CostKind::half_sqeuclidean}, 1);
  DenseProgot dense{
      .alphas = kAlphas,
      .tolerances = {.1, .067, .034, .001},
      .epsilon_of = [](std::size_t, const Problem& step) { return plain_epsilon(costs_of(step)); }};
  const std::vector<std::int64_t> warm = {20, 4, 10, 90};
  const std::vector<std::int64_t> cold = {20, 30, 50, 166};
  progot::ProgotConfig config;
  const std::vector<DenseProgot::Step> steps = dense.run(problem);
  for (std::size_t k = 0; k < 4; ++k) {
    EXPECT_EQ(steps[k].iterations, warm[k]);  // the oracle itself
    config.epsilons.push_back(steps[k].problem.epsilon);
  }
  TestRun run(world());
  const Outcome result = progot::solve(config, {}, problem, run.context);
  EXPECT_EQ(result.iterations_per_step, warm);
  EXPECT_EQ(result.iterations, 124);
  EXPECT_TRUE(result.converged.value());

  dense.is_warm = false;
  const std::vector<DenseProgot::Step> from_nothing = dense.run(problem);
  for (std::size_t k = 0; k < 4; ++k) EXPECT_EQ(from_nothing[k].iterations, cold[k]);
}

TEST(ProgotGolden, debiased_with_one_step_is_the_published_debiased_map) {
  const Problem problem = golden_problem();
  TestRun run(world());
  progot::ProgotConfig config;
  config.steps = 1;
  config.debiased = true;
  sinkhorn::SinkhornConfig solves;
  solves.tolerance = 1e-13;
  const Outcome result = progot::solve(config, solves, problem, run.context);
  expect_near(map_of_query(result, problem, run), {1.104946038227, 1.321068022173}, kPrinted);
}

TEST(ProgotGolden, with_one_step_is_sinkhorn) {
  const Problem problem = golden_problem();
  TestRun run(world());
  const Outcome result = solve_first(1, problem, {}, run);
  EXPECT_NEAR(*result.objective, 1.969828444541, kPrinted);
  EXPECT_NEAR(result.dual_value, 1.969828444541, kPrinted);
  EXPECT_NEAR(*result.transport_cost, kernels::test::kGoldenTransportCost, kPrinted);
  EXPECT_NEAR(result.last_step->objective, 1.969828444541, kPrinted);
  expect_near(result.potentials.at(0), kernels::test::kGoldenF, kPrinted);
  EXPECT_EQ(result.points, points_of(problem.clouds[0].marginal));
}

}  // namespace
}  // namespace kantor::test
