// Sinkhorn with its kernel in 16 bits: the answer and the tolerance of the costs themselves.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "solvers/sinkhorn/absorbed/refinement.hpp"
#include "solvers/sinkhorn/sinkhorn.hpp"
#include "tests/solvers/dense_eot.hpp"
#include "tests/support/thrown.hpp"
#include "tests/support/world.hpp"

namespace kantor::test {
namespace {

sinkhorn::SinkhornConfig settings(double tolerance, const std::string& storage = "absorbed16") {
  sinkhorn::SinkhornConfig config;
  config.tolerance = tolerance;
  config.max_iterations = 2000;
  config.storage = storage;
  return config;
}

Outcome solve(const Problem& problem, const sinkhorn::SinkhornConfig& config,
              const std::string& precision = "float32") {
  TestRun run(world(), precision);
  return sinkhorn::solve(config, problem, run.context);
}

std::vector<Problem> problems() {
  return {golden_problem(), random_problem({}, .02, {.n = 45, .m = 38, .d = 2}),
          random_problem({CostKind::euclidean}, .05, {.n = 70, .m = 90, .d = 3}),
          random_problem({CostKind::dot}, 1, {.n = 30, .m = 50, .d = 8})};
}

TEST(Absorbed16, reaches_any_tolerance_of_float32) {
  for (const Problem& problem : problems()) {
    for (const double tolerance : {1e-1, 1e-3, 1e-5, 1e-6}) {
      if (tolerance < 1e-5 && problem.epsilon < .1) continue;  // beyond float32, stored or not
      SCOPED_TRACE(concat("epsilon ", problem.epsilon, ", tolerance ", tolerance));
      const Outcome result = solve(problem, settings(tolerance));
      const Outcome plain = solve(problem, settings(tolerance, "streamed"));
      ASSERT_TRUE(plain.converged.value());
      EXPECT_TRUE(result.converged.value());
      // Evaluated in double, of the potentials returned. Float32 rounds logits of up to 50.
      EXPECT_LE(result.marginal_error.at(0), tolerance + 50 * 0x1p-24);
      EXPECT_LE(result.marginal_error.at(1), 2 * tolerance);
      // The kernel's error is second order: of the way from the last refresh.
      EXPECT_NEAR(static_cast<double>(result.iterations), static_cast<double>(plain.iterations),
                  2 + .02 * static_cast<double>(plain.iterations));
      EXPECT_NEAR(result.dual_value, plain.dual_value, tolerance * problem.epsilon);
      EXPECT_LE(result.storage->refreshes, 12);
    }
  }
}

// A pass that is not exact never ends a run, however few iterations there may be.
TEST(Absorbed16, measures_exactly_what_it_returns) {
  const Problem problem = random_problem({}, .02, {.n = 45, .m = 38, .d = 2});
  for (const std::int64_t most : {1, 2, 7, 40}) {
    sinkhorn::SinkhornConfig config = settings(0);
    config.max_iterations = most;
    TestRun run(world(), "float32");
    ShardedPairs<float> points(pair_of(problem), {}, Storage::absorbed16, run.context);
    std::vector<double> f, g(static_cast<std::size_t>(problem.n(1)), 0.0);
    const sinkhorn::Report report =
        sinkhorn::iterate(points, config.stopping(), f, g, run.context, "test");
    EXPECT_EQ(report.iterations, most);
    const ShardedPairs<float> streamed(pair_of(problem), {}, Storage::streamed, run.context);
    std::vector<double> next_f(f.size());
    streamed.transform_to_x(g, next_f);
    double error = 0;
    for (std::size_t i = 0; i < f.size(); ++i) {
      error += streamed.a()[i] * std::abs(std::expm1((f[i] - next_f[i]) / problem.epsilon));
    }
    EXPECT_NEAR(report.marginal_error, error, 1e-6 * (1 + error)) << most;
  }
}

struct Undisturbed {
  Outcome result;
  std::vector<checkpoint::Snapshot> saved;  ///< after each iteration
};

const Problem& resumed_problem() {
  static const Problem problem = random_problem({}, .02, {.n = 45, .m = 38, .d = 2});
  return problem;
}

Undisturbed undisturbed(const sinkhorn::SinkhornConfig& config) {
  TestRun run(world(), "float32");
  run.checkpoints = MemoryCheckpoints(1);
  Outcome result = sinkhorn::solve(config, resumed_problem(), run.context);
  return {std::move(result), run.checkpoints.saved()};
}

void expect_resumes_to_the_bit(const sinkhorn::SinkhornConfig& config, const Undisturbed& whole,
                               std::size_t at) {
  TestRun rest(world(), "float32");
  rest.checkpoints.resume_from(whole.saved.at(at));
  const Outcome resumed = sinkhorn::solve(config, resumed_problem(), rest.context);
  EXPECT_EQ(resumed.iterations, whole.result.iterations) << at;
  EXPECT_EQ(resumed.potentials, whole.result.potentials) << at;
}

TEST(Absorbed16, resumes_to_the_bit) {
  for (const bool is_adaptive : {false, true}) {  // then most iterations read the costs
    sinkhorn::SinkhornConfig config = settings(1e-5);
    config.momentum.is_adaptive = is_adaptive;
    const Undisturbed whole = undisturbed(config);
    EXPECT_TRUE(whole.result.converged.value());
    ASSERT_GT(whole.saved.size(), 30u);
    for (std::size_t at = 0; at < whole.saved.size(); ++at) {
      expect_resumes_to_the_bit(config, whole, at);
    }
  }
}

// Beyond what float32 can tell, one refresh in vain is enough; the rest reads one kernel in
// numbers.
TEST(Absorbed16, goes_on_in_numbers_where_codes_lead_nowhere) {
  sinkhorn::SinkhornConfig config = settings(0);
  config.max_iterations = 2500;
  const Undisturbed whole = undisturbed(config);
  EXPECT_EQ(whole.result.iterations, 2500);
  const auto has_left = [](const checkpoint::Snapshot& state) {
    return state.metadata.integer("sinkhorn.has_left_codes") != 0;
  };
  const auto first = std::find_if(whole.saved.begin(), whole.saved.end(), has_left);
  const auto at = static_cast<std::size_t>(first - whole.saved.begin());
  ASSERT_LT(at + 1, whole.saved.size());
  EXPECT_EQ((first - 1)->metadata.integer("sinkhorn.has_led_nowhere"), 1);
  // Made once, and read to the end: nothing is made from points but the last pass.
  const auto kernel_of = [](const checkpoint::Snapshot& state) {
    return state.tensor("sinkhorn.absorbed_g").data;
  };
  EXPECT_EQ(kernel_of(whole.saved.back()), kernel_of(*first));
  EXPECT_NE(kernel_of(*(first - 1)), kernel_of(*first));
  EXPECT_EQ(whole.saved.back().metadata.integer("sinkhorn.is_finishing"), 0);
  for (const std::size_t from : {at - 1, at, at + 1})
    expect_resumes_to_the_bit(config, whole, from);
}

TEST(Absorbed16, reads_costs_where_it_leads_nowhere_and_numbers_have_no_room) {
  TestRun run(world(), "float32");
  const Problem& problem = resumed_problem();
  StoragePlan plan = plan_storage(solve_shape(pair_of(problem), {}, false, run.context),
                                  Storage::absorbed16, {}, run.context);
  plan.absorbed.bytes = 2 * plan.budget;
  EXPECT_EQ(plan.form_of_tail(), Storage::streamed);
  ShardedPairs<float> points(pair_of(problem), {}, plan, run.context);
  std::vector<double> f, g(static_cast<std::size_t>(problem.n(1)), 0.0);
  MemoryCheckpoints keep(1);
  CheckpointScope scope(keep);
  sinkhorn::iterate(points, {.tolerance = 0, .max_iterations = 2500}, f, g, run.context, "test",
                    scope);
  EXPECT_EQ(keep.saved().back().metadata.integer("sinkhorn.is_finishing"), 1);
  EXPECT_EQ(keep.saved().back().metadata.integer("sinkhorn.has_left_codes"), 0);
}

TEST(Absorbed16, refuses_float64) {
  EXPECT_NE(message_of<ConfigError>([] {
              solve(golden_problem(), settings(1e-3), "float64");
            }).find("float64"),
            std::string::npos);
}

TEST(Refinement, is_due_where_the_kernels_own_error_may_show) {
  sinkhorn::Refinement refinement;
  EXPECT_FALSE(refinement.is_due(1e-30, 0));
  refinement.refreshed(.5);
  EXPECT_FALSE(refinement.is_due(.5, 0));
  EXPECT_FALSE(refinement.is_due(2e-3, 0));
  EXPECT_TRUE(refinement.is_due(.5 / 256, 0));
  EXPECT_FALSE(refinement.is_due(std::nan(""), 0));
  refinement.refreshed(1e-3);
  EXPECT_FALSE(refinement.is_due(1e-3, 0));
  EXPECT_TRUE(refinement.is_due(3e-6, 0));
  // Potentials that have gone far: 2^-11 (1 - e^(-2 drift)).
  EXPECT_FALSE(refinement.is_due(2.5e-4, .25));
  EXPECT_TRUE(refinement.is_due(1.9e-4, .25));
  EXPECT_FALSE(refinement.is_due(.5e-3, 100));
  EXPECT_TRUE(refinement.is_due(.48e-3, 100));
}

TEST(Refinement, is_due_where_the_error_falls_no_more) {
  const auto passes = [](double factor, int most) {
    sinkhorn::Refinement refinement;
    refinement.refreshed(.5);
    double error = .5;
    for (int pass = 1; pass <= most; ++pass) {
      if (refinement.is_due(error, 0)) return pass;
      error *= factor;
    }
    return 0;
  };
  EXPECT_EQ(passes(.9999, 1000), 0);  // slow, but 32 of them are three thousandths
  EXPECT_EQ(passes(.99999, 1000), 33);
  EXPECT_EQ(passes(1, 1000), 33);
  EXPECT_EQ(passes(1.1, 1000), 33);
}

TEST(Refinement, gives_up_where_a_check_finds_hardly_less_error) {
  const auto after = [](double first, bool is_check, double second) {
    sinkhorn::Refinement refinement;
    refinement.check();
    refinement.measured(first);  // nothing to compare it with
    EXPECT_FALSE(refinement.has_led_nowhere());
    if (is_check) refinement.check();
    refinement.measured(second);
    return refinement;
  };
  EXPECT_FALSE(after(1, true, .9).has_led_nowhere());
  EXPECT_TRUE(after(1, true, .91).has_led_nowhere());
  EXPECT_FALSE(after(1, false, .95).has_led_nowhere());  // the potentials had drifted
  // It keeps to that, also in a run that goes on.
  for (const double last : {.91, .2}) {
    sinkhorn::Refinement refinement = after(1, true, last);
    refinement.refreshed(.25);
    for (int pass = 0; pass < 32; ++pass) EXPECT_FALSE(refinement.is_due(.2, 0));
    checkpoint::Snapshot state;
    refinement.describe(StateFields::to(state));
    sinkhorn::Refinement restored;
    restored.describe(StateFields::from(state));
    EXPECT_EQ(restored.has_led_nowhere(), last == .91);
    EXPECT_TRUE(sinkhorn::Refinement(restored).is_due(.25 / 256, 0));
    EXPECT_TRUE(restored.is_due(.2, 0));
    restored.check();
    restored.measured(.17);
    EXPECT_EQ(restored.has_led_nowhere(), last == .91);
    restored.check();
    restored.measured(.16);
    EXPECT_TRUE(restored.has_led_nowhere());
  }
}

}  // namespace
}  // namespace kantor::test
