// Under mpirun with 1 to 4 ranks: loading, agreeing on the data, statistics of the cost.

#include "solvers/problem/problem.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "solvers/eot/sharded_pairs.hpp"
#include "solvers/problem/cost_statistics.hpp"
#include "tests/runtime/data/files.hpp"
#include "tests/solvers/dense_eot.hpp"
#include "tests/support/temporary_directory.hpp"
#include "tests/support/tolerance.hpp"
#include "tests/support/world.hpp"

namespace kantor::test {
namespace {

data::MarginalConfig generated(const std::string& name, std::int64_t n, std::int64_t d,
                               std::int64_t seed) {
  data::MarginalConfig marginal;
  marginal.generator = data::GeneratorConfig{.name = name, .n = n, .d = d, .seed = seed};
  return marginal;
}

data::MarginalConfig in_file(const std::string& path) {
  data::MarginalConfig marginal;
  marginal.path = path;
  return marginal;
}

ProblemConfig two_clouds(const std::string& cost = "sqeuclidean") {
  ProblemConfig config;
  config.cost = cost;
  config.p = 1.5;
  config.epsilon.value = .5;
  config.marginals = {generated("gaussian", 37, 3, 1), generated("uniform_cube", 23, 3, 2)};
  config.marginals[0].generator->mean = {3, 2, -1};
  return config;
}

/// The message of an error of this exit code, which every rank must meet: rank 0 hears the reason.
std::string refusal(const ProblemConfig& config, ExitCode code) {
  TestRun run(world());
  try {
    load_problem(config, run.context);
  } catch (const Error& error) {
    EXPECT_EQ(error.exit_code(), code) << error.what();
    EXPECT_TRUE(error.is_agreed());
    return error.what();
  }
  ADD_FAILURE() << "loaded";
  return "";
}

struct Statistics {
  double mean = 0, deviation = 0;
};

/// By the definition, over all pairs.
Statistics brute_force(const Problem& problem) {
  const DenseEot dense(problem);
  Statistics result;
  double square = 0;
  for (std::size_t k = 0; k < dense.costs.size(); ++k) {
    result.mean += dense.a[k / dense.m] * dense.b[k % dense.m] * dense.costs[k];
  }
  for (std::size_t k = 0; k < dense.costs.size(); ++k) {
    const double difference = dense.costs[k] - result.mean;
    square += dense.a[k / dense.m] * dense.b[k % dense.m] * difference * difference;
  }
  result.deviation = std::sqrt(square);
  return result;
}

TEST(CostStatistics, are_those_of_all_weighted_pairs) {
  TestRun run(world());
  for (const Cost& cost : kAllCosts) {
    for (const Sizes& sizes : {Sizes{41, 29, 3}, Sizes{2, 3, 1}, Sizes{1, 1, 2}}) {
      const Problem problem = random_problem(cost, 1, sizes);
      const Statistics expected = brute_force(problem);
      const CostStatistics actual = statistics_of(problem, true, run.context);
      EXPECT_NEAR(actual.mean, expected.mean, 1e-14) << cost_name(cost.kind);
      // The root of a difference of squares of numbers about 5: 1e-7 where it is 0, else 1e-13.
      EXPECT_NEAR(actual.standard_deviation, expected.deviation,
                  expected.deviation > 0 ? 1e-12 : 2e-7)
          << cost_name(cost.kind);
      EXPECT_NEAR(statistics_of(problem, false, run.context).mean, expected.mean, 1e-14);
    }
  }
}

/// On a line, with all y behind all x: |x - y| = y - x, whose variance is the sum of two.
TEST(CostStatistics, have_the_deviation_of_clouds_that_are_far_apart) {
  TestRun run(world());
  const Problem near = random_problem({CostKind::euclidean, 2}, 1, {41, 29, 1});
  Problem far = near;
  const double away = 0x1p30;
  std::vector<double> y(29);
  near.clouds[1].marginal.read_range<double>(0, 29, {}, y.data());
  for (double& value : y) value += away;
  far.clouds[1].marginal = {
      "y", data::memory_rows(y, 29, 1), {}, 1, near.clouds[1].marginal.weights(), 0, 0};
  far.clouds[1].mean[0] += away;
  double variance = 0;
  for (std::size_t k = 0; k < 2; ++k) {
    for (std::int64_t i = 0; i < near.n(k); ++i) {
      double point = 0;
      near.clouds[k].marginal.read_range<double>(i, 1, {}, &point);
      variance += near.clouds[k].marginal.weight(i) * std::pow(point - near.clouds[k].mean[0], 2);
    }
  }
  // Points and means are rounded to the last digit of 2^30.
  EXPECT_NEAR(statistics_of(far, true, run.context).standard_deviation, std::sqrt(variance),
              8 * away * 0x1p-52);
}

/// As many parts as there can be.
class CountedPauses final : public Pauses {
 public:
  std::int64_t least_pairs() const override { return 1; }
  void begin(std::int64_t num_parts) override { parts_begun += num_parts; }
  void pause() override { ++num_pauses; }
  std::int64_t parts_begun = 0;
  std::int64_t num_pauses = 0;
};

TEST(ShardedPairs, gives_the_same_in_parts) {
  for (const Sizes& sizes : {Sizes{20000, 50, 3}, Sizes{50, 20000, 3}}) {
    TestRun run(world());
    Problem problem = random_problem({}, .1, sizes);
    ShardedPairs<double> points(pair_of(problem), {}, Storage::streamed, run.context);
    const auto rows = points.a().size();
    const auto m = static_cast<std::size_t>(sizes.m);
    const std::vector<double> g = kernels::test::uniform(sizes.m, -1, 1, 5);
    const std::vector<double> kept = kernels::test::uniform(std::ssize(points.a()), -1, 1, 6);
    struct Outputs {
      std::vector<double> f, plain, updated, averages_f, averages, any, back;
    };
    const auto outputs = [&] {
      Outputs out{std::vector<double>(rows), std::vector<double>(m),        std::vector<double>(m),
                  std::vector<double>(rows), std::vector<double>(3 * rows), std::vector<double>(m),
                  std::vector<double>(m)};
      const kernels::UpdatedColumns wanted[] = {{{}, out.plain}, {{kept, .5}, out.updated}};
      points.transform_to_x(g, problem.epsilon, wanted, out.f);
      points.transform_to_x(g, out.averages_f, out.averages);
      points.plan_columns(out.f, g, out.any);
      points.transform_to_y(out.f, out.back);
      return out;
    };
    const Outputs whole = outputs();
    CountedPauses pauses;
    points.pause_in(&pauses);
    const Outputs parts = outputs();
    EXPECT_EQ(pauses.num_pauses, pauses.parts_begun - 4);
    EXPECT_GT(pauses.num_pauses, 0);
    EXPECT_EQ(parts.f, whole.f);
    EXPECT_EQ(parts.averages_f, whole.averages_f);
    EXPECT_EQ(parts.averages, whole.averages);
    EXPECT_EQ(parts.back, whole.back);
    const double relative = tol<double>(static_cast<double>(sizes.n));
    for (std::size_t j = 0; j < m; ++j) {
      EXPECT_NEAR(parts.plain[j], whole.plain[j], relative * whole.plain[j]);
      EXPECT_NEAR(parts.updated[j], whole.updated[j], relative * whole.updated[j]);
      EXPECT_NEAR(parts.any[j], whole.any[j], relative * whole.any[j]);
    }
  }
}

TEST(Problem, refuses_numbers_that_its_precision_has_not) {
  for (const double scale : {1e-19, 1e19}) {
    ProblemConfig config = two_clouds();
    config.epsilon.relative = "mean";
    for (data::MarginalConfig& marginal : config.marginals) marginal.scale = scale;
    TestRun coarse(world(), "float32");
    const auto load = [&] { load_problem(config, coarse.context); };
    if (world().rank() == 0) {  // the others are told that it failed
      const std::string message = message_of<ConfigError>(load);
      EXPECT_NE(message.find("use run.precision = \"float64\""), std::string::npos) << message;
    } else {
      EXPECT_ANY_THROW(load());
    }
    TestRun fine(world());
    EXPECT_GT(load_problem(config, fine.context).epsilon, 0);
  }
  // What no form of storage can hold: the square root of the largest double.
  ProblemConfig config = two_clouds();
  for (data::MarginalConfig& marginal : config.marginals) marginal.scale = 1e154;
  TestRun fine(world());
  EXPECT_ANY_THROW(load_problem(config, fine.context));  // one rank says which coordinate
}

TEST(Problem, loads_with_moments_and_an_absolute_epsilon) {
  TestRun run(world());
  const Problem problem = load_problem(two_clouds(), run.context);
  EXPECT_STREQ(problem.kind->name, "eot");
  EXPECT_EQ(problem.epsilon, .5);
  EXPECT_EQ(problem.n(0), 37);
  EXPECT_EQ(problem.n(1), 23);
  EXPECT_FALSE(problem.reference);
  const Pair pair = pair_of(problem);
  for (std::size_t k = 0; k < 2; ++k) {
    const std::vector<double> points = points_of(problem.clouds[k].marginal);
    for (std::size_t c = 0; c < 3; ++c) {
      double mean = 0;
      for (std::size_t i = c; i < points.size(); i += 3) {
        mean += points[i] / static_cast<double>(problem.n(k));
      }
      EXPECT_NEAR(problem.clouds[k].mean[c], mean, 1e-14);
    }
  }
  for (std::size_t c = 0; c < 3; ++c) {
    EXPECT_NEAR(pair.centre[c], (problem.clouds[0].mean[c] + problem.clouds[1].mean[c]) / 2, 1e-15);
  }
  EXPECT_NEAR(problem.statistics.mean, brute_force(problem).mean, 1e-12);
}

TEST(Problem, resolves_a_relative_epsilon_for_every_cost) {
  TestRun run(world());
  for (const char* cost : {"sqeuclidean", "half_sqeuclidean", "euclidean", "pnorm"}) {
    for (const char* relative : {"mean", "std"}) {
      ProblemConfig config = two_clouds(cost);
      config.epsilon = {.value = 0, .relative = relative, .scale = .05};
      const Problem problem = load_problem(config, run.context);
      const Statistics expected = brute_force(problem);
      const bool is_mean = std::string(relative) == "mean";
      EXPECT_NEAR(problem.epsilon, .05 * (is_mean ? expected.mean : expected.deviation), 1e-13)
          << cost << " " << relative;
    }
  }
}

TEST(Problem, refuses_an_epsilon_relative_to_a_statistic_that_is_not_positive) {
  ProblemConfig config = two_clouds("dot");
  config.marginals[1].generator = config.marginals[0].generator;  // mean cost -|mean|^2
  config.epsilon = {.value = 0, .relative = "mean", .scale = .05};
  const std::string message = refusal(config, ExitCode::config);
  if (world().rank() == 0) {
    EXPECT_NE(message.find("relative to the mean"), std::string::npos) << message;
  }
  config = two_clouds();
  for (auto& marginal : config.marginals) marginal.generator->n = 1;
  config.epsilon = {.value = 0, .relative = "std", .scale = .05};
  refusal(config, ExitCode::config);
}

TEST(Problem, refuses_marginals_of_different_dimensions) {
  ProblemConfig config = two_clouds();
  config.marginals[1].generator->d = 2;
  const std::string message = refusal(config, ExitCode::data);
  if (world().rank() == 0) {
    EXPECT_NE(message.find("have 3 coordinates"), std::string::npos) << message;
    EXPECT_NE(message.find("have 2"), std::string::npos) << message;
  }
}

TEST(Problem, refuses_values_that_are_not_finite_wherever_they_are) {
  for (const std::size_t place : {0u, 9u, 19u}) {  // of one rank's rows or another's
    const TemporaryDirectory folder;
    std::vector<double> values(20, 1.0);
    values[place] = place == 9 ? std::numeric_limits<double>::infinity() : std::nan("");
    write_bytes(folder.file("x.npy"), npy_file(npy_dictionary("<f8", "(10, 2)"), raw(values)));
    ProblemConfig config = two_clouds();
    config.marginals[0] = in_file(folder.file("x.npy"));
    config.marginals[1].generator->d = 2;
    refusal(config, ExitCode::data);
  }
}

TEST(Problem, refuses_missing_files) {
  ProblemConfig config = two_clouds();
  config.marginals[0] = in_file("/nowhere/x.npy");
  refusal(config, ExitCode::data);
}

TEST(Problem, refuses_ranks_that_see_different_data) {
  ProblemConfig config = two_clouds();
  if (world().rank() == world().size() - 1) config.marginals[1].generator->seed = 99;
  if (world().size() == 1) {  // nobody to differ from
    TestRun run(world());
    EXPECT_EQ(load_problem(config, run.context).n(1), 23);
    return;
  }
  const std::string message = refusal(config, ExitCode::config);
  if (world().rank() == 0) {
    EXPECT_NE(message.find(concat("rank ", world().size() - 1, " does not see the same data")),
              std::string::npos)
        << message;
  }
  config = two_clouds();
  if (world().rank() == 1) config.marginals[0].generator->n = 38;
  refusal(config, ExitCode::config);
}

TEST(Problem, carries_the_reference_of_its_generators) {
  TestRun run(world());
  ProblemConfig config = two_clouds();
  for (auto& marginal : config.marginals) {
    marginal.generator = data::GeneratorConfig{.name = "uniform_cube", .n = 9, .d = 8};
  }
  const Problem problem = load_problem(config, run.context);
  ASSERT_TRUE(problem.reference);
  EXPECT_NEAR(problem.reference->value, .6116843242, 5.1e-11);
}

TEST(EvaluationSubset, is_seeded_sorted_and_the_same_on_every_rank) {
  const Pair pair = pair_of(random_problem({}, 1, {.n = 50, .m = 8, .d = 1}));
  const Subset subset = evaluation_subset(pair, 20, 7);
  ASSERT_EQ(subset.x.size(), 20u);
  EXPECT_TRUE(subset.y.empty());  // all 8
  for (std::size_t i = 1; i < 20; ++i) EXPECT_LT(subset.x[i - 1], subset.x[i]);
  EXPECT_GE(subset.x.front(), 0);
  EXPECT_LT(subset.x.back(), 50);
  EXPECT_EQ(evaluation_subset(pair, 20, 7).x, subset.x);
  EXPECT_NE(evaluation_subset(pair, 20, 8).x, subset.x);
  EXPECT_TRUE(evaluation_subset(pair, 0, 7).x.empty());
  EXPECT_TRUE(evaluation_subset(pair, 50, 7).x.empty());
  for (const std::int64_t row : subset.x) {
    EXPECT_EQ(world().agree(row, "row"), row);
  }
}

TEST(ShardedPairs, transforms_over_the_points_of_all_ranks) {
  TestRun run(world());
  for (const Cost& cost : kAllCosts) {
    const Problem problem = random_problem(cost, .2, {.n = 7, .m = 11, .d = 2});
    const ShardedPairs<double> sharded(pair_of(problem), {}, Storage::automatic, run.context);
    const DenseEot dense(problem);
    const std::vector<double> f = kernels::test::uniform(7, -1, 1, 5);
    const Shard& rows = sharded.rows();
    const std::vector<double> part(f.begin() + rows.first, f.begin() + rows.last);
    std::vector<double> g(11);
    sharded.transform_to_y(part, g);
    const std::vector<double> expected = dense.to_y(f);
    for (std::size_t j = 0; j < g.size(); ++j) EXPECT_NEAR(g[j], expected[j], 1e-13);
    EXPECT_NEAR(sharded.expectation_x(part), dense.expectation_x(f), 1e-15);
    EXPECT_NEAR(sharded.expectation_y(g), dense.expectation_y(g), 1e-15);
    EXPECT_EQ(sharded.gather_x(part), f);
  }
}

TEST(ShardedPairs, averages_under_the_law_of_x_given_y) {
  TestRun run(world());
  for (const std::int64_t n : {2, 7}) {
    const Problem problem = random_problem({}, .2, {.n = n, .m = 11, .d = 2});
    const ShardedPairs<double> sharded(pair_of(problem), {}, Storage::automatic, run.context);
    const DenseEot dense(problem);
    const std::vector<double> f = kernels::test::uniform(n, -1, 1, 5);
    const std::vector<double> values = kernels::test::uniform(n * 2, -1, 1, 6);
    const Shard& rows = sharded.rows();
    const std::vector<double> part(f.begin() + rows.first, f.begin() + rows.last);
    const std::vector<double> own(values.begin() + 2 * rows.first, values.begin() + 2 * rows.last);
    std::vector<double> g(11);
    std::vector<double> averages(22);
    sharded.transform_to_y(part, own, 2, g, averages);
    const std::vector<double> expected = dense.to_y(f);
    for (std::size_t j = 0; j < 11; ++j) {
      EXPECT_NEAR(g[j], expected[j], 1e-13);
      double means[2] = {0, 0};
      for (std::size_t i = 0; i < dense.n; ++i) {
        const double p =
            dense.a[i] * std::exp((f[i] + expected[j] - dense.costs[i * 11 + j]) / problem.epsilon);
        for (std::size_t v : {0u, 1u}) means[v] += p * values[2 * i + v];
      }
      EXPECT_NEAR(averages[2 * j], means[0], 1e-13);
      EXPECT_NEAR(averages[2 * j + 1], means[1], 1e-13);
    }
  }
}

TEST(ShardedPairs, takes_a_subset_as_a_problem_of_its_own) {
  TestRun run(world());
  const Problem problem = random_problem({}, .2, {.n = 9, .m = 8, .d = 2});
  const ShardedPairs<double> sharded(pair_of(problem), {{1, 2, 4, 6}, {0, 5}}, Storage::streamed,
                                     run.context);
  EXPECT_EQ(sharded.n(), 4);
  EXPECT_EQ(sharded.m(), 2);
  const std::vector<double> a = sharded.gather_x(sharded.a());
  const std::vector<double> all = problem.clouds[0].marginal.weights();
  const double mass = all[1] + all[2] + all[4] + all[6];
  EXPECT_NEAR(a[0], all[1] / mass, 1e-15);
  EXPECT_EQ(a[2], 0);  // row 4 weighs nothing
  EXPECT_NEAR(sharded.b()[0] + sharded.b()[1], 1, 1e-15);
}

TEST(ShardedPairs, tells_a_subset_without_mass) {
  TestRun run(world());
  const Problem problem = random_problem({}, .2, {.n = 9, .m = 8, .d = 2});
  EXPECT_THROW(ShardedPairs<double>(pair_of(problem), {{4}, {0}}, Storage::streamed, run.context),
               NumericError);
}

}  // namespace
}  // namespace kantor::test
