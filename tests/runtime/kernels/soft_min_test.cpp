// Every entry point, type and cost policy against the reference in double.

#include "runtime/kernels/soft_min.hpp"

#include <gtest/gtest.h>

#include <list>

#include "tests/runtime/kernels/random_problem.hpp"

namespace kantor::kernels::test {
namespace {

constexpr std::int64_t kSizes[] = {1, 2, 7, 8, 9, 63, 64, 65, 129, 515};
constexpr std::int64_t kDimensions[] = {1, 2, 3, 8, 17, 64};

void expect_near_each(std::span<const double> got, std::span<const double> expected,
                      double absolute, double relative, const char* what) {
  ASSERT_EQ(got.size(), expected.size());
  for (std::size_t k = 0; k < got.size(); ++k) {
    // Equality first: infinities have no difference.
    if (got[k] == expected[k]) continue;
    ASSERT_NEAR(got[k], expected[k], absolute + relative * std::abs(expected[k])) << what << k;
  }
}

/// What the reference says of a problem.
template <class T>
struct Expected {
  std::vector<double> f, averages, columns;
  std::vector<double> given_f, cotangents;     ///< of the backward pass
  std::vector<double> backward, backward_sum;  ///< and the same with absolute values
  Rounding rounding;
  RoundedTotals totals;

  explicit Expected(const RandomProblem<T>& problem)
      : f(reference::soft_min(problem.exact())),
        averages(reference::averages(problem.exact(), problem.exact_values(), problem.kNumValues)),
        columns(reference::column_weights(problem.exact(), problem.a)),
        given_f(f),
        cotangents(uniform(problem.shape.n, -1, 1, 7)),
        rounding(columns, problem.b) {
    std::vector<double> magnitudes;
    for (std::size_t i = 0; i < f.size(); ++i) {
      given_f[i] += .4 * problem.epsilon * cotangents[f.size() - 1 - i];
      magnitudes.push_back(std::abs(cotangents[i]));
    }
    backward = reference::plan_column_weights(problem.exact(), given_f, cotangents);
    backward_sum = reference::plan_column_weights(problem.exact(), given_f, magnitudes);
    totals = reference::rounded_plan_totals(problem.exact(), problem.a, rounding.scale,
                                            rounding.missing, rounding.total_missing);
  }
};

/// All entry points of one problem, with one cost matrix.
template <class T>
void expect_reference(const RandomProblem<T>& problem, const Expected<T>& expected,
                      const CostMatrix<T>& matrix) {
  ThreadPool pool(1);
  const Reduction<T> reduction = problem.reduction(matrix);
  const double f_tolerance = problem.f_tolerance();
  const double relative = problem.plan_tolerance();
  const double underflow =
      static_cast<double>(problem.shape.n) * static_cast<double>(std::numeric_limits<T>::min());

  std::vector<double> f(expected.f.size(), -7.0);
  soft_min<T>(reduction, pool, f);
  expect_near_each(f, expected.f, f_tolerance, 0, "f ");

  std::vector<double> averages(expected.averages.size(), -7.0);
  std::fill(f.begin(), f.end(), -7.0);
  soft_min_averages<T>(reduction, problem.values, problem.kNumValues, pool, f, averages);
  expect_near_each(f, expected.f, f_tolerance, 0, "f beside averages ");
  // Absolute: values are at most 1 and may cancel.
  expect_near_each(averages, expected.averages, 2 * relative, 0, "average ");

  std::vector<double> columns(expected.columns.size(), -7.0);
  std::fill(f.begin(), f.end(), -7.0);
  soft_min_weights<T>(reduction, problem.a, pool, f, columns);
  expect_near_each(f, expected.f, f_tolerance, 0, "f beside weights ");
  expect_near_each(columns, expected.columns, underflow, relative, "column ");

  plan_column_weights<T>(reduction, expected.given_f, expected.cotangents, pool, columns);
  for (std::size_t j = 0; j < columns.size(); ++j) {
    ASSERT_NEAR(columns[j], expected.backward[j], underflow + relative * expected.backward_sum[j])
        << "backward " << j;
  }

  const auto totals =
      rounded_plan_totals<T>(reduction, problem.a, expected.rounding.scale,
                             expected.rounding.missing, expected.rounding.total_missing, pool);
  ASSERT_NEAR(totals.transport_cost, expected.totals.transport_cost,
              f_tolerance + relative * problem.magnitude());
  // |log q| is at most the range of the logits.
  const double log_range = 1 + 2 * problem.magnitude() / problem.epsilon;
  ASSERT_NEAR(totals.kl, expected.totals.kl, relative * log_range);
  ASSERT_NEAR(totals.missing_mass, expected.totals.missing_mass, relative);
}

template <class T>
void expect_reference(const RandomProblem<T>& problem) {
  SCOPED_TRACE(testing::Message() << "N " << problem.shape.n << ", M " << problem.shape.m << ", D "
                                  << problem.shape.d << ", epsilon " << problem.epsilon);
  const Expected<T> expected(problem);
  const auto streamed = problem.streamed();
  expect_reference(problem, expected, *streamed);
  if (testing::Test::HasFatalFailure()) return;
  ThreadPool pool(1);
  SCOPED_TRACE("stored");
  expect_reference<T>(problem, expected, StoredCost<T>(*streamed, pool));
}

/// Every pair of small sizes; the large ones with a few partners, for the sake of time.
template <class T>
void expect_reference_for_all_shapes(const Cost& cost) {
  std::size_t turn = 0;
  for (const std::int64_t n : kSizes) {
    for (const std::int64_t m : kSizes) {
      const bool is_large = std::max(n, m) > 65;
      if (is_large && n + m != 515 + 9 && n + m != 129 + 65 && n + m != 515 + 129) continue;
      expect_reference(
          RandomProblem<T>(cost, {n, m, kDimensions[turn++ % std::size(kDimensions)]}));
      if (testing::Test::HasFatalFailure()) return;
    }
  }
}

class SoftMin : public testing::TestWithParam<Cost> {};

TEST_P(SoftMin, agrees_with_reference_in_float) {
  expect_reference_for_all_shapes<float>(GetParam());
}

TEST_P(SoftMin, agrees_with_reference_in_double) {
  expect_reference_for_all_shapes<double>(GetParam());
}

TEST_P(SoftMin, agrees_with_reference_from_huge_to_tiny_epsilon) {
  for (const double epsilon : {1e6, 10., 1e-2, 1e-4}) {
    expect_reference(RandomProblem<double>(GetParam(), {65, 129, 3}, epsilon));
    expect_reference(RandomProblem<float>(GetParam(), {65, 129, 3}, epsilon));
  }
}

// Beside the soft minimum, the columns of the plan of the potential that follows it.
TEST_P(SoftMin, sums_the_columns_of_an_updated_potential) {
  const auto expect_columns = []<class T>(T) {
    const RandomProblem<T> problem(GetParam(), {129, 65, 3});
    const auto matrix = problem.streamed();
    const Reduction<T> reduction = problem.reduction(*matrix);
    ThreadPool pool(1);
    const std::vector<double> kept = uniform(129, -.3, .3, 21);
    std::vector<double> f(129), updated(129), columns(65), expected(65);
    soft_min<T>(reduction, pool, updated);
    for (const RowUpdate& update : {RowUpdate{kept, 1.4}, RowUpdate{{}, .8}, RowUpdate{}}) {
      soft_min_weights<T>(reduction, problem.a, update, pool, f, columns);
      expect_near_each(f, updated, 0, 0, "f ");
      std::vector<double> moved(129);
      for (std::size_t i = 0; i < moved.size(); ++i) moved[i] = update.of(i, f[i]);
      plan_column_weights<T>(reduction, moved, problem.a, pool, expected);
      expect_near_each(columns, expected, 0, 2 * problem.plan_tolerance(), "column ");

      // Together with those of another one: to the bit what each gives alone.
      std::vector<double> together(65, -7.0), plain(65, -7.0), plain_alone(65);
      const UpdatedColumns wanted[] = {{{}, plain}, {update, together}};
      soft_min_weights<T>(reduction, problem.a, wanted, pool, f);
      soft_min_weights<T>(reduction, problem.a, pool, f, plain_alone);
      EXPECT_EQ(together, columns);
      EXPECT_EQ(plain, plain_alone);
    }
  };
  expect_columns(float{});
  expect_columns(double{});
}

TEST_P(SoftMin, prices_the_rounded_plan_with_another_matrix) {
  const auto expect_price = []<class T>(T) {
    const RandomProblem<T> problem(GetParam(), {65, 129, 3});
    const RandomProblem<T> other({CostKind::sqeuclidean, 2}, {65, 129, 7});
    ThreadPool pool(1);
    const auto matrix = problem.streamed();
    const auto streamed = other.streamed();
    const Rounding rounding(reference::column_weights(problem.exact(), problem.a), problem.b);
    const auto totals_with = [&](const CostMatrix<T>* prices) {
      return rounded_plan_totals<T>(problem.reduction(*matrix), problem.a, rounding.scale,
                                    rounding.missing, rounding.total_missing, pool, prices);
    };
    const RoundedTotals expected =
        reference::rounded_plan_totals(problem.exact(), problem.a, rounding.scale, rounding.missing,
                                       rounding.total_missing, other.costs);
    const double tolerance = other.f_tolerance() + problem.plan_tolerance() * other.magnitude();
    const RoundedTotals priced = totals_with(streamed.get());
    EXPECT_NEAR(priced.priced_cost, expected.priced_cost, tolerance);
    const StoredCost<T> stored(*streamed, pool);
    EXPECT_NEAR(totals_with(&stored).priced_cost, expected.priced_cost, tolerance);
    EXPECT_EQ(priced.transport_cost, totals_with(nullptr).transport_cost);
    EXPECT_EQ(priced.kl, totals_with(nullptr).kl);
    EXPECT_EQ(totals_with(nullptr).priced_cost, 0);
  };
  expect_price(float{});
  expect_price(double{});
}

INSTANTIATE_TEST_SUITE_P(Costs, SoftMin,
                         testing::Values(Cost{CostKind::sqeuclidean, 2},
                                         Cost{CostKind::half_sqeuclidean, 2},
                                         Cost{CostKind::dot, 2}, Cost{CostKind::euclidean, 2},
                                         Cost{CostKind::pnorm, 1.5}, Cost{CostKind::pnorm, 2},
                                         Cost{CostKind::pnorm, 3}, Cost{CostKind::pnorm, 1.25}));

// d/dg_j of sum_i t_i f_i is -sum_i t_i S_ij.
TEST(SoftMinWeights, are_minus_the_gradient_of_the_weighted_soft_min) {
  RandomProblem<double> problem({CostKind::sqeuclidean, 2}, {40, 30, 3});
  const auto matrix = problem.streamed();
  ThreadPool pool(1);
  std::vector<double> f(40), columns(30);
  soft_min_weights<double>(problem.reduction(*matrix), problem.a, pool, f, columns);
  const auto weighted = [&](std::size_t j, double step) {
    const double before = problem.g[j];
    problem.g[j] += step;
    soft_min<double>(problem.reduction(*matrix), pool, f);
    problem.g[j] = before;
    double sum = 0;
    for (std::size_t i = 0; i < f.size(); ++i) sum += problem.a[i] * f[i];
    return sum;
  };
  const double step = 1e-5;  // error step^2 / eps^2 ~ 1.6e-9, rounding 1e-16 / step = 1e-11
  for (std::size_t j = 0; j < columns.size(); ++j) {
    EXPECT_NEAR((weighted(j, step) - weighted(j, -step)) / (2 * step), -columns[j], 4e-9) << j;
  }
}

/// Two plans more, for what is missing and what that leaves, written out over all pairs.
template <class T>
void expect_added_plans() {
  const RandomProblem<T> problem({CostKind::sqeuclidean}, {67, 131, 3});
  const auto matrix = problem.streamed();
  ThreadPool pool(2);
  const std::size_t n = problem.a.size();
  const std::size_t m = problem.b.size();
  const std::vector<double> rows = reference::softmax(problem.exact());
  const Rounding cut(reference::column_weights(problem.exact(), problem.a), problem.b);
  std::vector<double> plan(n * m);
  std::vector<double> left(problem.a);
  std::vector<double> missing = cut.missing;
  const auto take = [&](const std::vector<double>& from, const std::vector<double>& scale) {
    for (std::size_t i = 0; i < n; ++i) {
      double taken = 0;
      for (std::size_t j = 0; j < m; ++j) {
        const double mass = left[i] * from[i * m + j] * scale[j];
        plan[i * m + j] += mass;
        taken += mass;
      }
      left[i] = std::max(left[i] - taken, 0.0);
    }
  };
  take(rows, cut.scale);
  std::list<std::vector<double>> kept;  // what the added plans refer to
  std::vector<AddedPlan<T>> added;
  for (const double epsilon : {problem.epsilon, 4 * problem.epsilon}) {
    std::vector<double>& log_columns = kept.emplace_back();
    for (const double mass : missing) log_columns.push_back(std::log(mass));
    const std::vector<double>& g = kept.emplace_back(
        uniform(static_cast<std::int64_t>(m), -.1, .1, static_cast<std::uint64_t>(kept.size())));
    const reference::DenseReduction dense{problem.costs, log_columns, g, epsilon};
    const std::vector<double>& masses = kept.emplace_back(left);
    const Rounding again(reference::column_weights(dense, masses), missing);
    const std::vector<double>& scale = kept.emplace_back(again.scale);
    added.push_back({{*matrix, log_columns, g, epsilon}, masses, scale});
    take(reference::softmax(dense), scale);
    missing = again.missing;
  }
  double total = 0;
  for (const double mass : missing) total += mass;
  RoundedTotals expected;
  std::vector<double> columns(m);
  for (std::size_t i = 0; i < n; ++i) {
    expected.missing_mass += left[i];
    for (std::size_t j = 0; j < m; ++j) {
      const double p = plan[i * m + j] + left[i] * missing[j] / total;
      columns[j] += p;
      if (p <= 0 || problem.a[i] == 0) continue;
      expected.transport_cost += p * problem.costs[i * m + j];
      expected.kl += p * std::log(p / (problem.a[i] * problem.b[j]));
    }
  }
  // The oracle is a plan between the weights.
  for (std::size_t j = 0; j < m; ++j) EXPECT_NEAR(columns[j], problem.b[j], 1e-14);
  const RoundedTotals totals =
      rounded_plan_totals<T>(problem.reduction(*matrix), problem.a, cut.scale, missing, total, pool,
                             nullptr, std::span<const AddedPlan<T>>(added));
  const double relative = problem.plan_tolerance();
  EXPECT_NEAR(totals.transport_cost, expected.transport_cost, 3 * relative * problem.magnitude());
  EXPECT_NEAR(totals.kl, expected.kl,
              3 * relative * (1 + 2 * problem.magnitude() / problem.epsilon));
  EXPECT_NEAR(totals.missing_mass, expected.missing_mass, 3 * relative);
}

TEST(RoundedPlan, takes_in_the_plans_that_are_added) {
  expect_added_plans<float>();
  expect_added_plans<double>();
}

template <class T>
std::vector<double> all_outputs(const RandomProblem<T>& problem, int num_threads) {
  ThreadPool pool(num_threads);
  const auto streamed = problem.streamed();
  const StoredCost<T> matrix(*streamed, pool);
  const Reduction<T> reduction = problem.reduction(*streamed);
  const auto n = static_cast<std::size_t>(problem.shape.n);
  const auto m = static_cast<std::size_t>(problem.shape.m);
  std::vector<double> f(n), averages(n * problem.kNumValues), columns(m), backward(m), stored(m);
  soft_min<T>(reduction, pool, f);
  std::vector<double> all = f;
  soft_min_averages<T>(reduction, problem.values, problem.kNumValues, pool, f, averages);
  soft_min_weights<T>(reduction, problem.a, pool, f, columns);
  plan_column_weights<T>(reduction, f, problem.a, pool, backward);
  soft_min_weights<T>(problem.reduction(matrix), problem.a, pool, f, stored);
  const Rounding rounding(columns, problem.b);
  const RoundedTotals totals = rounded_plan_totals<T>(
      reduction, problem.a, rounding.scale, rounding.missing, rounding.total_missing, pool);
  for (const auto* part : {&averages, &columns, &backward, &stored}) {
    all.insert(all.end(), part->begin(), part->end());
  }
  all.insert(all.end(), {totals.transport_cost, totals.kl, totals.missing_mass});
  return all;
}

// 3,000 rows are more panels than lanes; 65 are fewer.
TEST(SoftMinThreads, any_number_of_threads_gives_the_same_bits) {
  for (const Shape shape : {Shape{65, 200, 5}, Shape{515, 129, 8}, Shape{3000, 300, 2}}) {
    for (const CostKind kind : {CostKind::sqeuclidean, CostKind::euclidean, CostKind::pnorm}) {
      const RandomProblem<float> floats({kind, 1.5}, shape);
      const RandomProblem<double> doubles({kind, 1.5}, shape);
      const auto one_float = all_outputs(floats, 1);
      const auto one_double = all_outputs(doubles, 1);
      for (const int threads : {2, 3, 5}) {
        EXPECT_EQ(all_outputs(floats, threads), one_float) << threads;
        EXPECT_EQ(all_outputs(doubles, threads), one_double) << threads;
      }
    }
  }
}

}  // namespace
}  // namespace kantor::kernels::test
