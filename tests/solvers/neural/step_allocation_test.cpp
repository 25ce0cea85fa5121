// A training step works in buffers that stay. What LibTorch takes for its tensors is its own, and
// does not come from operator new.

#include <gtest/gtest.h>

#include "distributed/trainer.hpp"
#include "solvers/neural/semi_dual.hpp"
#include "tests/solvers/small_problem.hpp"
#include "tests/support/large_allocations.hpp"
#include "tests/support/world.hpp"

namespace kantor::test {
namespace {

Problem large_problem(const Cost& cost, bool is_weighted) {
  constexpr std::int64_t kRows = 3000;
  constexpr std::int64_t kDims = 5;
  std::vector<double> weights;
  if (is_weighted) weights.assign(kRows, 1.0 / kRows);
  const auto marginal = [&](std::uint64_t seed) {
    return make_marginal(kernels::test::uniform(kRows * kDims, 0, 1, seed), kDims, weights);
  };
  return make_problem(cost, .3, marginal(1), marginal(2));
}

template <class T>
class StepAllocations : public testing::Test {};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(StepAllocations, Types);

TYPED_TEST(StepAllocations, are_none_in_the_steady_state) {
  for (const bool is_weighted : {false, true}) {
    const Problem problem = large_problem({}, is_weighted);
    const Pair pair = pair_of(problem);
    TestRun run(world());
    neural::NeuralConfig config;
    config.batch = 1024;  // every buffer of the step is larger than what counts as large
    neural::PotentialInputs inputs;
    inputs.d = problem.d();
    inputs.mean = problem.clouds[0].mean;
    inputs.deviation.assign(static_cast<std::size_t>(problem.d()), .3);
    inputs.gaussian.scale = 0;
    const neural::Potential potential(config.network, inputs, pair.centre,
                                      c10::CppTypeToScalarType<TypeParam>::value, 3);
    FlatParameters parameters(potential.parameters());
    const std::int64_t before = num_large_allocations();
    neural::SemiDual<TypeParam> objective(config, pair, potential, run.context);
    Trainer trainer(config.training, objective, parameters, run.context);
    trainer.step();
    EXPECT_GT(num_large_allocations(), before);  // that the counter counts
    const std::int64_t after_first = num_large_allocations();
    for (int step = 0; step < 5; ++step) EXPECT_FALSE(trainer.step().skipped);
    EXPECT_EQ(num_large_allocations(), after_first);
  }
}

}  // namespace
}  // namespace kantor::test
