// Under mpirun with 1 to 4 ranks: solves that follow each other, against a dense truth.

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "solvers/sinkhorn/oracle.hpp"
#include "tests/solvers/dense_eot.hpp"
#include "tests/support/world.hpp"

namespace kantor::test {
namespace {

/// Counts what is read.
class CountedRows final : public data::RowSource {
 public:
  explicit CountedRows(std::shared_ptr<const data::RowSource> rows) : rows_(std::move(rows)) {}
  std::int64_t num_rows() const override { return rows_->num_rows(); }
  std::int64_t num_dims() const override { return rows_->num_dims(); }
  void read(std::span<const std::int64_t> rows, double scale, std::span<const double> shift,
            double* values) const override {
    num_read_ += std::ssize(rows);
    rows_->read(rows, scale, shift, values);
  }
  void read(std::span<const std::int64_t> rows, double scale, std::span<const double> shift,
            float* values) const override {
    num_read_ += std::ssize(rows);
    rows_->read(rows, scale, shift, values);
  }
  std::int64_t num_read() const { return num_read_; }

 private:
  std::shared_ptr<const data::RowSource> rows_;
  mutable std::int64_t num_read_ = 0;
};

std::vector<double> moved(std::vector<double> points) {
  for (std::size_t i = 0; i < points.size(); ++i)
    points[i] = .9 * points[i] + .02 * static_cast<double>(i % 3);
  return points;
}

/// Points of this rank's rows.
std::vector<double> own_rows(const data::Marginal& marginal) {
  const Shard share = shard_of(marginal.n(), world().rank(), world().size());
  std::vector<double> rows(static_cast<std::size_t>(share.count() * marginal.d()));
  marginal.read_range<double>(share.first, share.count(), {}, rows.data());
  return rows;
}

/// What the oracle says of the last pair is what the dense plan says.
void expect_truth(EotOracle& oracle, const EotOracle::Solution& solution, const Problem& problem) {
  const DenseEot dense(problem);
  const auto truth = dense.sinkhorn(4000);
  const std::vector<double> plan = dense.plan(truth.f, truth.g);
  const data::Marginal& first = problem.clouds[0].marginal;
  const std::vector<double> x = points_of(first);
  const std::vector<double> y = points_of(problem.clouds[1].marginal);
  const auto d = static_cast<std::size_t>(problem.d());
  std::vector<double> expected(d * d, 0.0);
  for (std::size_t k = 0; k < plan.size(); ++k) {
    for (std::size_t entry = 0; entry < d * d; ++entry) {
      expected[entry] += plan[k] * x[k / dense.m * d + entry / d] * y[k % dense.m * d + entry % d];
    }
  }
  const std::int64_t before = world().counts().all_reduce;
  const auto moment = oracle.cross_moment(solution, own_rows(first), problem.d());
  EXPECT_EQ(world().counts().all_reduce, before + 1);
  ASSERT_EQ(moment.values.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_NEAR(moment.values[i], expected[i], 1e-9);
  }

  const double optimum = dense.dual_value(truth.f, truth.g);
  EXPECT_NEAR(moment.dual_value, optimum, 1e-10);
  const PlanValue value = oracle.value(solution);
  EXPECT_NEAR(value.dual_value, optimum, 1e-10);
  EXPECT_NEAR(value.objective, optimum, 1e-10);
}

TEST(EotOracle, solves_pairs_that_follow_each_other_and_reads_y_once) {
  TestRun run(world());
  CheckpointScope nowhere;
  sinkhorn::SinkhornConfig config;
  for (const char* storage : {"streamed", "materialised", "absorbed"}) {
    config.storage = storage;
    for (const Cost& cost : {Cost{CostKind::sqeuclidean}, Cost{CostKind::dot}}) {
      SCOPED_TRACE(concat(storage, " ", cost_name(cost.kind)));
      const Problem problem = random_problem(cost, .4, {.n = 23, .m = 17, .d = 3});
      const auto y = std::make_shared<CountedRows>(
          data::memory_rows(points_of(problem.clouds[1].marginal), 17, 3));
      Pair pair = pair_of(problem);
      pair.y.marginal = {"y", y, {}, 1, pair.y.marginal.weights(), 0, 0};
      const auto oracle = sinkhorn::make_oracle(config, nowhere, run.context);
      const EotOracle::Solution first = oracle->solve(pair, {}, 1e-12, nowhere);
      EXPECT_TRUE(first.converged);
      EXPECT_EQ(y->num_read(), 17);
      expect_truth(*oracle, first, problem);  // whose value reads y in double
      const std::int64_t num_read = y->num_read();

      const Problem further =
          make_problem(cost, .4,
                       make_marginal(moved(points_of(problem.clouds[0].marginal)), 3,
                                     problem.clouds[0].marginal.weights()),
                       problem.clouds[1].marginal);
      pair.x = further.clouds[0];
      const EotOracle::Solution second = oracle->solve(pair, first.g, 1e-12, nowhere);
      EXPECT_TRUE(second.converged);
      EXPECT_EQ(y->num_read(), num_read);
      EXPECT_LT(second.iterations, sinkhorn::make_oracle(config, nowhere, run.context)
                                       ->solve(pair, {}, 1e-12, nowhere)
                                       .iterations);
      expect_truth(*oracle, second, further);

      // With a centre of its own, both clouds are centred anew.
      pair.centre = midpoint(pair.x, pair.y);
      expect_truth(*oracle, oracle->solve(pair, {}, 1e-12, nowhere), further);
    }
  }
}

TEST(EotOracle, takes_other_epsilons_and_refuses_other_clouds) {
  TestRun run(world());
  CheckpointScope nowhere;
  const sinkhorn::SinkhornConfig config;
  Problem problem = random_problem({}, .8, {.n = 23, .m = 17, .d = 3});
  const auto oracle = sinkhorn::make_oracle(config, nowhere, run.context);
  oracle->solve(pair_of(problem), {}, 1e-10, nowhere);
  problem.epsilon = .5;
  expect_truth(*oracle, oracle->solve(pair_of(problem), {}, 1e-12, nowhere), problem);
  const Problem other = random_problem({}, .5, {.n = 24, .m = 17, .d = 3});
  EXPECT_THROW(oracle->solve(pair_of(other), {}, 1e-10, nowhere), ValueError);
}

}  // namespace
}  // namespace kantor::test
