// The loops of each instruction set against plain loops in double.

#include "runtime/kernels/vector_kernels.hpp"

#include <gtest/gtest.h>

#include "tests/runtime/kernels/random_problem.hpp"
#include "tests/support/tolerance.hpp"

namespace kantor::kernels::test {
namespace {

using kantor::test::tol;

constexpr std::int64_t kLengths[] = {0, 1, 2, 3, 7, 8, 9, 15, 16, 31, 64, 511, 512, 513, 1030};

template <class T>
std::vector<T> random_row(std::int64_t n, double low, double high, std::uint64_t seed) {
  const std::vector<double> values = uniform(n, low, high, seed);
  return std::vector<T>(values.begin(), values.end());
}

std::vector<InstructionSet> available_sets() {
  std::vector<InstructionSet> sets = {InstructionSet::portable};
  if (is_available(InstructionSet::avx2)) sets.push_back(InstructionSet::avx2);
  return sets;
}

template <class T>
class VectorLoops : public testing::Test {
 protected:
  using Kernels = VectorKernels<T>;
  static void for_all(const std::function<void(const Kernels&, std::int64_t)>& check) {
    for (const InstructionSet set : available_sets()) {
      for (const std::int64_t n : kLengths) {
        SCOPED_TRACE(testing::Message() << "set " << static_cast<int>(set) << ", n " << n);
        check(vector_kernels<T>(set), n);
      }
    }
  }
};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(VectorLoops, Types);

TYPED_TEST(VectorLoops, max_finds_the_largest_at_any_place) {
  using T = TypeParam;
  this->for_all([](const VectorKernels<T>& kernels, std::int64_t n) {
    std::vector<T> row = random_row<T>(n, -5, -1, 1);
    if (n == 0) {
      EXPECT_EQ(kernels.max(row.data(), 0), -std::numeric_limits<T>::infinity());
    }
    for (const std::int64_t place : {std::int64_t{0}, n / 2, n - 1}) {
      if (n == 0) break;
      std::vector<T> copy = row;
      copy[static_cast<std::size_t>(place)] = T{3};
      EXPECT_EQ(kernels.max(copy.data(), n), T{3}) << place;
    }
  });
}

// An argument x of either sign is rounded to eps |x| before its exponential is taken.
template <class T>
double exp_tolerance(double argument) {
  return std::exp(argument) *
         (tol<T>(1, 2) + std::numeric_limits<T>::epsilon() * std::abs(argument));
}

TYPED_TEST(VectorLoops, exp_sum_is_the_exponential_and_its_sum) {
  using T = TypeParam;
  this->for_all([](const VectorKernels<T>& kernels, std::int64_t n) {
    std::vector<T> row = random_row<T>(n, -80, 2, 2);
    if (n > 3) row[3] = -std::numeric_limits<T>::infinity();
    const std::vector<T> before = row;
    std::vector<T> copied = row;
    const double sum = kernels.exp_sum(row.data(), n, T{2});
    kernels.exp_shifted(copied.data(), n, T{2});
    EXPECT_EQ(copied, row);
    double expected_sum = 0;
    for (std::size_t j = 0; j < row.size(); ++j) {
      const double argument = static_cast<double>(before[j] - T{2});
      if (std::isinf(argument)) {
        ASSERT_EQ(row[j], 0);
      } else {
        ASSERT_NEAR(row[j], std::exp(argument), exp_tolerance<T>(argument)) << argument;
      }
      expected_sum += std::exp(argument);
    }
    ASSERT_NEAR(sum, expected_sum, tol<T>(8) * expected_sum);
  });
}

TYPED_TEST(VectorLoops, exp_shifted_is_the_exponential_up_to_the_largest_number) {
  using T = TypeParam;
  const double highest = std::log(static_cast<double>(std::numeric_limits<T>::max()));
  for (const InstructionSet set : available_sets()) {
    std::vector<T> row = random_row<T>(1000, -highest + 2, highest - 1e-4, 3);
    row.back() = static_cast<T>(highest - 1e-4);
    const std::vector<T> before = row;
    vector_kernels<T>(set).exp_shifted(row.data(), 1000, T{0});
    for (std::size_t j = 0; j < row.size(); ++j) {
      ASSERT_NEAR(row[j], std::exp(static_cast<double>(before[j])), exp_tolerance<T>(before[j]));
    }
  }
}

TYPED_TEST(VectorLoops, exp_of_special_values_is_special) {
  using T = TypeParam;
  constexpr T infinity = std::numeric_limits<T>::infinity();
  for (const InstructionSet set : available_sets()) {
    const auto& kernels = vector_kernels<T>(set);
    for (const std::size_t place : {0, 4, 16}) {  // in the vectors and in the rest
      for (const T low : {-infinity, T{-10000}, std::numeric_limits<T>::lowest()}) {
        std::vector<T> row(17, T{0});
        row[place] = low;
        EXPECT_EQ(kernels.exp_sum(row.data(), 17, T{0}), 16);
        EXPECT_EQ(row[place], 0);
        row[place] = low;
        kernels.exp_shifted(row.data(), 17, T{0});
        EXPECT_EQ(row[place], 0);
      }
      for (const T high : {infinity, T{10000}, std::numeric_limits<T>::max()}) {
        std::vector<T> row(17, T{0});
        row[place] = high;
        kernels.exp_shifted(row.data(), 17, T{0});
        EXPECT_EQ(row[place], infinity);
        EXPECT_EQ(row[place == 4 ? 5 : 4], 1);
      }
      std::vector<T> row(17, T{0});
      row[place] = std::numeric_limits<T>::quiet_NaN();
      EXPECT_TRUE(std::isnan(kernels.exp_sum(row.data(), 17, T{0})));
      row[place] = std::numeric_limits<T>::quiet_NaN();
      kernels.exp_shifted(row.data(), 17, T{0});
      EXPECT_TRUE(std::isnan(row[place]));
    }
  }
}

TYPED_TEST(VectorLoops, copy_copies_and_stops) {
  using T = TypeParam;
  this->for_all([](const VectorKernels<T>& kernels, std::int64_t n) {
    const std::vector<T> from = random_row<T>(n, 1, 2, 20);
    std::vector<T> to(from.size() + 1, T{-1});
    kernels.copy(from.data(), n, to.data());
    EXPECT_TRUE(std::equal(from.begin(), from.end(), to.begin()));
    EXPECT_EQ(to.back(), -1);
  });
}

TYPED_TEST(VectorLoops, add_scaled_rows_adds_to_the_target) {
  using T = TypeParam;
  this->for_all([](const VectorKernels<T>& kernels, std::int64_t n) {
    for (const std::int64_t num_rows : {0, 1, 3, 4, 9}) {
      std::vector<T> target = random_row<T>(n, -1, 1, 3);
      std::vector<double> expected(target.begin(), target.end());
      const std::vector<T> matrix = random_row<T>(num_rows * n, -1, 1, 4);
      const std::vector<T> scales = random_row<T>(num_rows, -2, 2, 5);
      std::vector<const T*> rows;
      for (std::int64_t r = 0; r < num_rows; ++r) {
        rows.push_back(matrix.data() + r * n);
        for (std::int64_t j = 0; j < n; ++j) {
          expected[static_cast<std::size_t>(j)] +=
              static_cast<double>(scales[rows.size() - 1]) * static_cast<double>(rows.back()[j]);
        }
      }
      kernels.add_scaled_rows(target.data(), rows.data(), scales.data(), num_rows, n);
      for (std::size_t j = 0; j < target.size(); ++j) {
        ASSERT_NEAR(target[j], expected[j], 2 * tol<T>(static_cast<double>(num_rows + 1)));
      }
    }
  });
}

TYPED_TEST(VectorLoops, dot_is_the_sum_of_products) {
  using T = TypeParam;
  this->for_all([](const VectorKernels<T>& kernels, std::int64_t n) {
    const std::vector<T> a = random_row<T>(n, 0, 1, 6), b = random_row<T>(n, 0, 1, 7);
    double expected = 0;
    for (std::size_t j = 0; j < a.size(); ++j) {
      expected += static_cast<double>(a[j]) * static_cast<double>(b[j]);
    }
    ASSERT_NEAR(kernels.dot(a.data(), b.data(), n), expected, tol<T>(8) * expected);
  });
}

TYPED_TEST(VectorLoops, stored_logits_are_bias_less_scaled_cost) {
  using T = TypeParam;
  this->for_all([](const VectorKernels<T>& kernels, std::int64_t n) {
    const std::vector<T> bias = random_row<T>(n, -1, 1, 8), cost = random_row<T>(n, 0, 1, 9);
    std::vector<T> logits(bias.size());
    kernels.stored_logits(bias.data(), cost.data(), T{4}, n, logits.data());
    for (std::size_t j = 0; j < bias.size(); ++j) {
      ASSERT_NEAR(logits[j], static_cast<double>(bias[j]) - 4 * static_cast<double>(cost[j]),
                  5 * tol<T>(1));
    }
  });
}

TYPED_TEST(VectorLoops, root_or_mark_marks_what_cancelled_and_nothing_else) {
  using T = TypeParam;
  this->for_all([](const VectorKernels<T>& kernels, std::int64_t n) {
    const std::vector<T> squares = random_row<T>(n, .5, 1, 10);
    std::vector<T> values = random_row<T>(n, .2, 4, 11);
    const std::vector<T> before = values;
    EXPECT_FALSE(kernels.root_or_mark(values.data(), squares.data(), T{1}, T(.05), n));
    for (std::size_t j = 0; j < values.size(); ++j) ASSERT_EQ(values[j], std::sqrt(before[j]));
    for (const std::int64_t place : {std::int64_t{0}, n / 2, n - 1}) {
      if (n == 0) break;
      for (const T cancelled : {T(.05), T{0}, T(-1e-6)}) {
        values = before;
        values[static_cast<std::size_t>(place)] = cancelled;
        EXPECT_TRUE(kernels.root_or_mark(values.data(), squares.data(), T{1}, T(.05), n));
        EXPECT_EQ(values[static_cast<std::size_t>(place)], -1);
      }
    }
  });
}

TYPED_TEST(VectorLoops, pnorm_row_is_the_definition) {
  using T = TypeParam;
  this->for_all([](const VectorKernels<T>& kernels, std::int64_t n) {
    const std::int64_t d = 3;
    std::vector<T> x = random_row<T>(d, -1, 1, 12), columns = random_row<T>(d * n, -1, 1, 13);
    if (n > 0) columns[0] = x[0];  // |0|^p
    for (const double p : {1.5, 2., 3., 1.1, 4.5}) {
      std::vector<T> costs(static_cast<std::size_t>(n));
      kernels.pnorm_row(x.data(), columns.data(), d, n, static_cast<T>(p), costs.data());
      for (std::size_t j = 0; j < costs.size(); ++j) {
        double expected = 0;
        for (std::size_t k = 0; k < 3; ++k) {
          const double y = columns[k * costs.size() + j];
          expected += std::pow(std::abs(static_cast<double>(x[k]) - y), p) / p;
        }
        ASSERT_NEAR(costs[j], expected, 4 * tol<T>(d) * expected + tol<T>(1)) << p;
      }
    }
  });
}

TYPED_TEST(VectorLoops, rounded_row_is_the_definition_and_skips_what_is_empty) {
  using T = TypeParam;
  this->for_all([](const VectorKernels<T>& kernels, std::int64_t n) {
    std::vector<T> values = random_row<T>(n, 0, 1, 14), cost = random_row<T>(n, 0, 2, 15);
    std::vector<T> weight = random_row<T>(n, .5, 1, 16), scale = random_row<T>(n, .5, 1, 17);
    std::vector<T> missing = random_row<T>(n, 0, 1, 18);
    for (std::size_t j = 0; j < values.size(); j += 3) {
      weight[j] = scale[j] = missing[j] = 0;
      cost[j] = std::numeric_limits<T>::infinity();
    }
    const RoundedRow row = kernels.rounded_row(values.data(), T(.3), cost.data(), T(.2),
                                               {weight.data(), scale.data(), missing.data()}, n);
    RoundedRow expected;
    double magnitude = 0;
    for (std::size_t j = 0; j < values.size(); ++j) {
      const double q = T(.3) * static_cast<double>(values[j]) * static_cast<double>(scale[j]) +
                       T(.2) * static_cast<double>(missing[j]);
      if (q == 0) continue;
      expected.transport_cost += weight[j] * q * cost[j];
      expected.kl += weight[j] * q * std::log(q);
      magnitude += weight[j] * q * (1 + cost[j] + std::abs(std::log(q)));
    }
    ASSERT_NEAR(row.transport_cost, expected.transport_cost, tol<T>(8) * magnitude);
    ASSERT_NEAR(row.kl, expected.kl, tol<T>(8) * magnitude);
  });
}

TEST(InstructionSets, the_portable_one_is_always_there) {
  EXPECT_TRUE(is_available(InstructionSet::portable));
  EXPECT_EQ(&vector_kernels<float>(), &vector_kernels<float>(available_sets().back()));
  EXPECT_EQ(&vector_kernels<double>(), &vector_kernels<double>(available_sets().back()));
}

}  // namespace
}  // namespace kantor::kernels::test
