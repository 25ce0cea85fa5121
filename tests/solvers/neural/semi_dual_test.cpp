// Under mpirun with 1 to 4 ranks. Shapes: B global batch, P ranks.

#include "solvers/neural/semi_dual.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "distributed/flat_parameters.hpp"
#include "distributed/trainer.hpp"
#include "tests/solvers/dense_eot.hpp"
#include "tests/solvers/neural/dense_semi_dual.hpp"
#include "tests/support/fault_injecting_communicator.hpp"
#include "tests/support/world.hpp"

namespace kantor::test {
namespace {

neural::NeuralConfig batch_of(std::int64_t batch, const std::string& negatives = "global") {
  neural::NeuralConfig config;
  config.batch = batch;
  config.negatives = negatives;
  return config;
}

/// Sum over the ranks of their shares, as the trainer's all-reduce takes it.
template <class T>
LossAndGradient evaluate(const neural::NeuralConfig& config, const Problem& problem,
                         const neural::Potential& potential, std::int64_t step, Communicator& ranks,
                         double* count = nullptr) {
  TestRun run(ranks);
  run.run.seed = 5;
  zero_gradients(potential);
  const Pair pair = pair_of(problem);
  neural::SemiDual<T> objective(config, pair, potential, run.context);
  const LocalLoss loss = objective.evaluate({.step = step, .group_step = step});
  LossAndGradient total{loss.value.item<double>(), gradients(potential)};
  std::vector<double> scalars = {total.loss, loss.count};
  ranks.all_reduce<double>(scalars, ReduceOp::sum, "losses");
  ranks.all_reduce<double>(total.gradient, ReduceOp::sum, "gradients");
  total.loss = scalars[0];
  if (count != nullptr) *count = scalars[1];
  return total;
}

void expect_same(const LossAndGradient& actual, const LossAndGradient& expected, double tolerance) {
  EXPECT_NEAR(actual.loss, expected.loss, tolerance);
  ASSERT_EQ(actual.gradient.size(), expected.gradient.size());
  double largest = 0;
  for (std::size_t k = 0; k < actual.gradient.size(); ++k) {
    EXPECT_NEAR(actual.gradient[k], expected.gradient[k], tolerance) << k;
    largest = std::max(largest, std::abs(expected.gradient[k]));
  }
  EXPECT_GT(largest, 1e-3);  // there was something to compare
}

TEST(SemiDual, is_the_dense_formula_and_its_gradient_on_any_number_of_ranks) {
  for (const Cost& cost : kAllCosts) {
    const Problem problem = random_problem(cost, .3, {.n = 40, .m = 31, .d = 3});
    const neural::Potential potential = small_potential(problem);
    SCOPED_TRACE(cost_name(cost.kind));
    for (const std::int64_t step : {0, 2}) {
      double count = 0;
      const auto actual = evaluate<double>(batch_of(67), problem, potential, step, world(), &count);
      EXPECT_EQ(count, 67);
      const auto dense = DenseBatch(problem, 5, 67, step, 0, 67).evaluate(problem, potential);
      expect_same(actual, dense, 1e-12);
    }
  }
}

TEST(SemiDual, is_the_same_on_one_rank_and_on_many) {
  const auto alone = make_self_communicator();
  for (const std::int64_t batch : {1, 2, 3, 5, 67}) {  // fewer than ranks, and uneven
    const Problem problem = random_problem({}, .3, {.n = 40, .m = 31, .d = 3});
    const neural::Potential potential = small_potential(problem);
    const auto many = evaluate<double>(batch_of(batch), problem, potential, 1, world());
    const auto one = evaluate<double>(batch_of(batch), problem, potential, 1, *alone);
    ASSERT_TRUE(std::isfinite(one.loss)) << "batch " << batch;
    EXPECT_NEAR(many.loss, one.loss, 1e-12);
    for (std::size_t k = 0; k < one.gradient.size(); ++k) {
      EXPECT_NEAR(many.gradient[k], one.gradient[k], 1e-12);
    }
  }
}

// Kernels are compared with LibTorch's operations then, which waits for what is under way; between
// other steps nobody does.
TEST(SemiDual, synchronizes_before_its_first_reduction_alone) {
  const Problem problem = random_problem({}, .3, {.n = 40, .m = 31, .d = 3});
  const Pair pair = pair_of(problem);
  const neural::Potential potential = small_potential(problem);
  for (const char* negatives : {"global", "local"}) {
    FaultInjectingCommunicator ranks(world(), 1 << 20);
    TestRun run(ranks);
    zero_gradients(potential);
    neural::SemiDual<double> objective(batch_of(8, negatives), pair, potential, run.context);
    for (const std::int64_t step : {0, 1, 2}) {
      objective.evaluate({.step = step, .group_step = step});
      EXPECT_EQ(ranks.num_synchronized(), 1) << negatives << ", step " << step;
    }
  }
}

TEST(SemiDual, agrees_in_single_precision) {
  const Problem problem = random_problem({}, .3, {.n = 40, .m = 31, .d = 3});
  const auto fine =
      DenseBatch(problem, 5, 67, 0, 0, 67).evaluate(problem, small_potential(problem));
  const neural::Potential potential = small_potential(problem, torch::kFloat32);
  const auto coarse = evaluate<float>(batch_of(67), problem, potential, 0, world());
  // Exponents of about 20 carry 20 * 6e-8 each, as do the weights of the plan.
  expect_same(coarse, fine, 1e-5);
}

TEST(SemiDual, averages_the_blocks_of_the_ranks_with_local_negatives) {
  for (const std::int64_t batch : {66, 67}) {
    const Problem problem = random_problem({}, .3, {.n = 40, .m = 31, .d = 3});
    const neural::Potential potential = small_potential(problem);
    const auto actual = evaluate<double>(batch_of(batch, "local"), problem, potential, 1, world());
    LossAndGradient expected{0, std::vector<double>(actual.gradient.size(), 0.0)};
    for (int rank = 0; rank < world().size(); ++rank) {
      const Shard block = shard_of(batch, rank, world().size());
      const auto part =
          DenseBatch(problem, 5, batch, 1, block.first, block.last).evaluate(problem, potential);
      const double share = static_cast<double>(block.count()) / static_cast<double>(batch);
      expected.loss += share * part.loss;
      for (std::size_t k = 0; k < part.gradient.size(); ++k) {
        expected.gradient[k] += share * part.gradient[k];
      }
    }
    expect_same(actual, expected, 1e-12);
  }
}

TEST(SemiDual, leaves_ranks_without_samples_idle_with_local_negatives) {
  const Problem problem =
      make_problem({}, .3, make_marginal({0, .3, .7}, 1), make_marginal({.1, .2, 1}, 1));
  const neural::Potential potential = small_potential(problem);
  double count = 0;
  const auto actual =
      evaluate<double>(batch_of(1, "local"), problem, potential, 0, world(), &count);
  EXPECT_EQ(count, 1);
  // One pair: J = c(x, y), whatever f is.
  const DenseBatch pair(problem, 5, 1, 0, 0, 1);
  EXPECT_NEAR(actual.loss, -(pair.x - pair.y).square().sum().item<double>(), 1e-14);
  for (const double slope : actual.gradient) EXPECT_NEAR(slope, 0, 1e-15);
}

TEST(SemiDual, learns_nothing_from_a_batch_without_mass) {
  const Problem problem = make_problem({}, .3, make_marginal({0, .3, .7, 1}, 1, {0, 0, 0, 1}),
                                       make_marginal({.1, .2, 1, 2}, 1));
  const neural::Potential potential = small_potential(problem);
  int num_empty = 0;
  for (const char* negatives : {"global", "local"}) {
    for (std::int64_t step = 0; step < 4; ++step) {  // every row once
      double count = 0;
      const auto actual =
          evaluate<double>(batch_of(1, negatives), problem, potential, step, world(), &count);
      EXPECT_TRUE(std::isfinite(actual.loss));
      EXPECT_EQ(count, 1);
      num_empty += actual.loss == 0 ? 1 : 0;
      for (const double slope : actual.gradient) EXPECT_TRUE(std::isfinite(slope));
    }
  }
  EXPECT_EQ(num_empty, 6);
}

TEST(SemiDual, exchanges_potentials_and_column_weights_once_a_step) {
  TestRun run(world());
  const Problem problem = random_problem({}, .3, {.n = 40, .m = 31, .d = 3});
  const Pair pair = pair_of(problem);
  for (const bool is_global : {true, false}) {
    const neural::Potential potential = small_potential(problem);
    neural::NeuralConfig config = batch_of(67, is_global ? "global" : "local");
    FlatParameters parameters(potential.parameters());
    neural::SemiDual<double> objective(config, pair, potential, run.context);
    Trainer trainer(config.training, objective, parameters, run.context);
    for (int step = 0; step < 3; ++step) {
      const CommCounts before = world().counts();
      EXPECT_FALSE(trainer.step().skipped);
      const CommCounts after = world().counts();
      EXPECT_EQ(after.all_gather - before.all_gather, is_global ? 1 : 0);
      EXPECT_EQ(after.reduce_scatter - before.reduce_scatter, is_global ? 1 : 0);
      EXPECT_EQ(after.all_reduce - before.all_reduce, 1);
      EXPECT_EQ(after.broadcast, before.broadcast);
      EXPECT_EQ(after.barrier, before.barrier);
      EXPECT_EQ(after.agree, before.agree);
    }
  }
}

TEST(SemiDual, does_not_see_a_constant) {
  const Problem problem = random_problem({}, .3, {.n = 40, .m = 31, .d = 3});
  const neural::Potential potential = small_potential(problem);
  const auto before = evaluate<double>(batch_of(67), problem, potential, 0, world());
  EXPECT_NEAR(before.gradient.back(), 0, 1e-14);  // of the last bias
  {
    const torch::NoGradGuard no_grad;
    potential.parameters().back().tensor.add_(17);
  }
  const auto after = evaluate<double>(batch_of(67), problem, potential, 0, world());
  EXPECT_NEAR(after.loss, before.loss, 1e-12);
}

/// A batch that holds every point once is the problem itself: -loss = J(f).
TEST(SemiDual, falls_short_by_the_divergence_of_the_plans) {
  for (const Cost& cost : kAllCosts) {
    const Problem problem = random_problem(cost, .3, {.n = 24, .m = 24, .d = 2});
    const neural::Potential potential = small_potential(problem);
    const double value = -evaluate<double>(batch_of(24), problem, potential, 0, world()).loss;

    const DenseEot dense(problem);
    const DenseEot::Pair best = dense.sinkhorn(3000);
    std::vector<double> points = points_of(problem.clouds[0].marginal);
    const at::Tensor x = torch::from_blob(points.data(), {24, 2}, torch::kFloat64) -
                         torch::tensor(pair_of(problem).centre, torch::kFloat64);
    const at::Tensor output = potential.forward(x).detach().contiguous();
    const std::vector<double> f(output.data_ptr<double>(), output.data_ptr<double>() + 24);
    EXPECT_NEAR(value, dense.semi_dual(f), 1e-12);

    const std::vector<double> optimal = dense.plan(best.f, best.g);
    const std::vector<double> learned = dense.plan(f, dense.to_y(f));
    double divergence = 0;
    for (std::size_t k = 0; k < optimal.size(); ++k) {
      if (optimal[k] > 0) divergence += optimal[k] * std::log(optimal[k] / learned[k]);
    }
    EXPECT_GT(divergence, 1e-3);
    EXPECT_NEAR((dense.semi_dual(best.f) - value) / problem.epsilon, divergence, 1e-10)
        << cost_name(cost.kind);
    // The best g for this f is its transform: any other proves less.
    for (const std::uint64_t seed : {1u, 2u}) {
      std::vector<double> g = dense.to_y(f);
      const std::vector<double> noise = kernels::test::uniform(24, -.2, .2, seed);
      for (std::size_t j = 0; j < g.size(); ++j) g[j] += noise[j];
      EXPECT_GT(value, dense.dual_value(f, g));
    }
  }
}

TEST(TrainingSampler, never_draws_what_is_held_out) {
  const Problem problem = random_problem({}, .3, {.n = 40, .m = 31, .d = 1, .holdout = .25});
  random::Sampler sampler = neural::training_sampler(pair_of(problem), 0, 9);
  const std::vector<std::int64_t> heldout = sampler.heldout_rows();
  ASSERT_EQ(heldout.size(), 10u);
  for (std::int64_t draw = 0; draw < 200; ++draw) {
    EXPECT_EQ(std::count(heldout.begin(), heldout.end(), sampler.row(draw)), 0);
  }
}

}  // namespace
}  // namespace kantor::test
