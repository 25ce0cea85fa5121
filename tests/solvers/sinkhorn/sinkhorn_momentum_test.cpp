// Momentum and epsilon decay: published iteration counts, the same answer, sooner, and resumed to
// the bit.

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "solvers/sinkhorn/iteration.hpp"
#include "solvers/sinkhorn/sinkhorn.hpp"
#include "tests/solvers/dense_eot.hpp"
#include "tests/solvers/sinkhorn/sinkhorn_settings.hpp"
#include "tests/support/captured_stderr.hpp"
#include "tests/support/thrown.hpp"
#include "tests/support/world.hpp"

namespace kantor::test {
namespace {

Outcome solve(const Problem& problem, const sinkhorn::SinkhornConfig& config,
              const std::string& precision = "float64") {
  TestRun run(world(), precision);
  return sinkhorn::solve(config, problem, run.context);
}

sinkhorn::SinkhornConfig with_weight(double weight, double tolerance = 1e-9,
                                     std::int64_t max_iterations = 2000) {
  sinkhorn::SinkhornConfig config;
  config.tolerance = tolerance;
  config.max_iterations = max_iterations;
  config.momentum.weight = weight;
  return config;
}

sinkhorn::SinkhornConfig adaptive(double tolerance) {
  sinkhorn::SinkhornConfig config = with_weight(1, tolerance, 20000);
  config.momentum.is_adaptive = true;
  return config;
}

void expect_golden(const Outcome& result, double tolerance) {
  EXPECT_NEAR(*result.objective, 1.969828444541, 1e-11);
  EXPECT_NEAR(result.dual_value, 1.969828444541, 1e-11);
  if (world().rank() != 0) return;
  for (std::size_t i = 0; i < kernels::test::kGoldenF.size(); ++i) {
    EXPECT_NEAR(result.potentials.at(0)[i], kernels::test::kGoldenF[i], tolerance);
  }
  for (std::size_t j = 0; j < kernels::test::kGoldenG.size(); ++j) {
    EXPECT_NEAR(result.potentials.at(1)[j], kernels::test::kGoldenG[j], tolerance);
  }
}

/// The published counts are those of the row error alone; the reported one has the columns' too.
TEST(Momentum, takes_the_published_course) {
  struct Row {
    double weight;
    std::int64_t to_rows, to_both;  // iterations to 1e-9
  };
  for (const Row& row : {Row{1, 166, 166}, Row{1.2, 104, 105}, Row{1.3, 70, 71}, Row{1.4, 63, 64},
                         Row{1.5, 38, 38}, Row{1.6, 46, 48}}) {
    SCOPED_TRACE(row.weight);
    sinkhorn::SinkhornConfig absorbed = with_weight(row.weight);
    absorbed.storage = "absorbed";
    const Outcome read = solve(golden_problem(), absorbed);
    EXPECT_EQ(read.iterations, row.to_both);
    EXPECT_GT(read.storage->refreshes, 0);
    const auto row_error = [&](std::int64_t iterations) {
      return solve(golden_problem(), with_weight(row.weight, 0, iterations)).marginal_error.at(0);
    };
    EXPECT_GT(row_error(row.to_rows - 1), 1e-9);
    EXPECT_LE(row_error(row.to_rows), 1e-9);
    const Outcome result = solve(golden_problem(), with_weight(row.weight));
    EXPECT_TRUE(result.converged.value());
    EXPECT_EQ(result.iterations, row.to_both);
    expect_golden(solve(golden_problem(), with_weight(row.weight, 1e-13)), 1e-10);
  }
}

TEST(Momentum, reports_the_error_of_both_marginals) {
  TestRun run(world());
  const Problem problem = golden_problem();
  const ShardedPairs<double> sharded(pair_of(problem), {}, Storage::automatic, run.context);
  std::vector<double> f;
  std::vector<double> g(6, 0.0);
  const auto report = sinkhorn::iterate(sharded, {.max_iterations = 9, .momentum = {.weight = 1.4}},
                                        f, g, run.context, "test");
  const DenseEot dense(problem);
  const std::vector<double> plan = dense.plan(f, g);
  const double columns = DenseEot::l1(dense.columns(plan), dense.b);
  EXPECT_GT(columns, 1e-3);
  EXPECT_NEAR(report.marginal_error, DenseEot::l1(dense.rows(plan), dense.a) + columns, 1e-12);
}

TEST(Momentum, that_goes_too_far_is_not_called_converged) {
  const Outcome result =
      solve(random_problem({}, .003, {.n = 40, .m = 30, .d = 1}), with_weight(1.99, 1e-6, 200));
  EXPECT_FALSE(result.converged.value());
  EXPECT_GT(result.marginal_error.at(0) + result.marginal_error.at(1), 1e-6);
}

TEST(Momentum, that_explodes_is_left_for_good) {
  sinkhorn::MomentumControl control({.weight = 1.9}, 1e-9);
  for (const double error : {1.5, 1e-3, 2e-2, 99.0, 1e-5}) control.observe(error);
  EXPECT_EQ(control.weight(), 1.9);  // it may swing
  EXPECT_FALSE(control.has_given_up());
  for (const double error : {101.0, HUGE_VAL}) {
    sinkhorn::MomentumControl other = control;
    other.observe(error);
    EXPECT_EQ(other.weight(), 1);
    EXPECT_TRUE(other.has_given_up());
    sinkhorn::MomentumControl restored({.weight = 1.9}, 1e-9);
    checkpoint::Snapshot state;
    other.describe(StateFields::to(state));
    restored.describe(StateFields::from(state));
    restored.observe(.5);
    EXPECT_EQ(restored.weight(), 1);
  }
  // What is large at first may fall.
  sinkhorn::MomentumControl warm({.weight = 1.9}, 1e-9);
  for (const double error : {1e9, 1e8, 1e3}) warm.observe(error);
  EXPECT_EQ(warm.weight(), 1.9);
}

TEST(Momentum, that_explodes_ends_where_plain_updates_end) {
  const Problem problem = random_problem({}, .01, {.n = 40, .m = 30, .d = 1});
  for (const std::string precision : {"float64", "float32"}) {
    const double tolerance = precision == "float64" ? 1e-6 : 1e-3;
    const CapturedStderr said;
    const Outcome result = solve(problem, with_weight(1.99, tolerance, 20000), precision);
    EXPECT_NE(said.text().find("momentum = 1.99 is too much"), std::string::npos) << said.text();
    EXPECT_TRUE(result.converged.value());
    const Outcome plain = solve(problem, with_weight(1, tolerance, 20000), precision);
    EXPECT_NEAR(result.dual_value, plain.dual_value, tolerance * 10);
  }
}

TEST(AdaptiveMomentum, saves_most_iterations_and_never_costs_many) {
  double log_ratio = 0;
  int count = 0;
  for (const std::int64_t d : {1, 3, 8}) {
    for (const double relative : {.3, .03, .01}) {
      for (const double tolerance : {1e-3, 1e-6}) {
        Problem problem = random_problem({}, 1, {.n = 60, .m = 50, .d = d});
        problem.epsilon = relative * problem.statistics.mean;
        SCOPED_TRACE(concat("d ", d, ", epsilon ", relative, ", tolerance ", tolerance));
        const Outcome plain = solve(problem, with_weight(1, tolerance, 20000));
        const Outcome result = solve(problem, adaptive(tolerance));
        ASSERT_TRUE(plain.converged.value());
        EXPECT_TRUE(result.converged.value());
        EXPECT_LE(result.iterations, plain.iterations + 5);
        log_ratio += std::log(static_cast<double>(result.iterations) /
                              static_cast<double>(plain.iterations));
        ++count;
      }
    }
  }
  EXPECT_LT(std::exp(log_ratio / count), .6);
  const Outcome golden = solve(golden_problem(), adaptive(1e-9));
  EXPECT_LT(golden.iterations, 60);
  expect_golden(solve(golden_problem(), adaptive(1e-13)), 1e-10);
}

TEST(AdaptiveMomentum, returns_to_plain_updates_where_the_error_rises) {
  sinkhorn::MomentumControl control({.is_adaptive = true}, 1e-9);
  double error = 1;
  const auto observe = [&](double factor, int times) {
    for (int k = 0; k < times; ++k) control.observe(error *= factor);
  };
  observe(.9, 6);
  EXPECT_EQ(control.weight(), 1);
  observe(.9, 1);
  EXPECT_NEAR(control.weight(), 2 / (1 + std::sqrt(.1)), 1e-12);
  observe(2, 6);  // a transient
  EXPECT_GT(control.weight(), 1);
  observe(2, 1);  // more than one
  EXPECT_EQ(control.weight(), 1);
  observe(.9, 11);  // now ten steady ratios are needed
  EXPECT_EQ(control.weight(), 1);
  observe(.9, 1);
  EXPECT_GT(control.weight(), 1);
  observe(.999, 29);  // slow, but it falls
  EXPECT_GT(control.weight(), 1);
  observe(std::nan(""), 1);
  EXPECT_EQ(control.weight(), 1);
}

TEST(AdaptiveMomentum, does_not_begin_where_plain_updates_are_nearly_done) {
  sinkhorn::MomentumControl control({.is_adaptive = true}, .45);
  double error = 1;
  for (int k = 0; k < 20; ++k) control.observe(error *= .95);
  EXPECT_EQ(control.weight(), 1);
}

/// A run stopped anywhere goes on with the bits of the undisturbed one.
void expect_resumes_to_the_bit(const sinkhorn::SinkhornConfig& config) {
  const Problem problem = random_problem({}, .02, {.n = 45, .m = 38, .d = 2});
  TestRun whole(world());
  whole.checkpoints = MemoryCheckpoints(1);
  const Outcome expected = sinkhorn::solve(config, problem, whole.context);
  EXPECT_TRUE(expected.converged.value());
  ASSERT_GT(expected.iterations, 30);
  for (std::size_t at = 0; at < whole.checkpoints.saved().size(); ++at) {
    TestRun rest(world());
    rest.checkpoints.resume_from(whole.checkpoints.saved()[at]);
    const Outcome resumed = sinkhorn::solve(config, problem, rest.context);
    EXPECT_EQ(resumed.iterations, expected.iterations) << at;
    EXPECT_EQ(resumed.potentials, expected.potentials) << at;
  }
}

/// Where the potentials drift, the kernel is made anew on the way; a resumed run makes the one that
/// the stopped run had.
TEST(Absorbed, resumes_to_the_bit) {
  for (sinkhorn::SinkhornConfig config :
       {with_weight(1, 1e-7), with_weight(1.4, 1e-7), adaptive(1e-4)}) {
    config.storage = "absorbed";
    expect_resumes_to_the_bit(config);
  }
}

TEST(Momentum, resumes_to_the_bit) {
  for (sinkhorn::SinkhornConfig config : {with_weight(1.4, 1e-7), adaptive(1e-7)}) {
    config.epsilon_decay = sinkhorn::EpsilonDecayConfig{3, .8};
    expect_resumes_to_the_bit(config);
  }
}

TEST(EpsilonDecay, ends_at_the_same_potentials) {
  for (const double weight : {1.0, 1.4}) {
    sinkhorn::SinkhornConfig config = with_weight(weight, 1e-12);
    config.epsilon_decay.emplace();
    const Outcome result = solve(golden_problem(), config);
    EXPECT_TRUE(result.converged.value());
    EXPECT_GT(result.iterations, 22);  // 10 * .9^22 < 1
    expect_golden(result, 1e-9);
  }
}

TEST(EpsilonDecay, measures_at_the_epsilon_of_the_problem) {
  sinkhorn::SinkhornConfig config = with_weight(1, 1e-3, 10);  // still at 3.5 epsilon
  config.epsilon_decay.emplace();
  const Outcome result = solve(golden_problem(), config);
  EXPECT_EQ(result.iterations, 10);
  EXPECT_FALSE(result.converged.value());
  EXPECT_GT(result.marginal_error.at(0), 1e-3);
  EXPECT_LT(result.dual_value, 1.969828444541);
  EXPECT_GT(*result.objective, 1.969828444541);
}

/// Half of epsilon squares a plan over the product of the weights: rows then add up to what no plan
/// has, in every iteration of the fall, and that is no fault of the numbers.
TEST(EpsilonDecay, passes_through_errors_that_no_plan_can_have) {
  Problem problem = random_problem({}, 1e-9, {.n = 40, .m = 40, .d = 2});
  sinkhorn::SinkhornConfig config = with_weight(1, .1, 2000);
  config.epsilon_decay = sinkhorn::EpsilonDecayConfig{1e9, .5};  // 30 iterations
  EXPECT_NO_THROW(solve(problem, config));
}

TEST(EpsilonDecay, goes_down_to_one) {
  const sinkhorn::EpsilonDecay decay{10, .5};
  EXPECT_EQ(decay.multiple(0), 10);
  EXPECT_EQ(decay.multiple(2), 2.5);
  EXPECT_EQ(decay.multiple(4), 1);
  EXPECT_EQ(sinkhorn::EpsilonDecay{}.multiple(0), 1);
}

TEST(SinkhornSettings, read_momentum_and_decay) {
  EXPECT_EQ(read_sinkhorn({}).momentum.weight, 1);
  EXPECT_EQ(read_sinkhorn({"momentum=1.5"}).momentum.weight, 1.5);
  EXPECT_EQ(read_sinkhorn({"momentum=1"}).momentum.weight, 1);
  EXPECT_TRUE(read_sinkhorn({"momentum=adaptive"}).momentum.is_adaptive);
  EXPECT_FALSE(read_sinkhorn({}).epsilon_decay.has_value());
  const auto config = read_sinkhorn({"epsilon_decay={start=5, factor=0.8}"});
  EXPECT_EQ(config.stopping().decay.start, 5);
  EXPECT_EQ(config.stopping().decay.factor, .8);
}

TEST(SinkhornSettings, refuse_bad_momentum_and_decay) {
  for (const char* setting :
       {"momentum=0", "momentum=2", "momentum=-1", "momentum=adaptiv", "momentum=true",
        "momentum=[1,2]", "momentum=nan", "epsilon_decay.start=.5", "epsilon_decay.start=inf",
        "epsilon_decay.factor=1", "epsilon_decay.factor=0", "epsilon_decay.stop=3",
        "epsilon_decay=10"}) {
    const std::string message = message_of<ConfigError>([&] { read_sinkhorn({setting}); });
    const std::string key = std::string(setting).substr(0, 8);
    EXPECT_NE(message.find(key), std::string::npos) << setting << ": " << message;
  }
}

}  // namespace
}  // namespace kantor::test
