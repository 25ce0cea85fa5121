// The loops of each instruction set against plain loops in double.

#include "runtime/kernels/vector_kernels.hpp"

#include <gtest/gtest.h>

#include "tests/runtime/kernels/available_sets.hpp"
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

// Interpolation, a few roundings, and no rounding of the argument.
TYPED_TEST(VectorLoops, exp2_is_the_power_from_the_smallest_normal_to_the_largest_number) {
  using T = TypeParam;
  this->for_all([](const VectorKernels<T>& kernels, std::int64_t n) {
    std::vector<T> row = random_row<T>(n, std::numeric_limits<T>::min_exponent,
                                       std::numeric_limits<T>::max_exponent - 1e-4, 2);
    if (n > 4) {
      row[1] = std::numeric_limits<T>::min_exponent - 1;
      row[2] = T(.5);
      row[3] = T(-.5);
    }
    const std::vector<T> before = row;
    kernels.exp2(row.data(), n);
    for (std::size_t j = 0; j < row.size(); ++j) {
      const double expected = std::exp2(static_cast<double>(before[j]));
      ASSERT_NEAR(row[j], expected, 2 * std::numeric_limits<T>::epsilon() * expected) << before[j];
    }
  });
}

TYPED_TEST(VectorLoops, exp2_of_whole_numbers_is_exact) {
  using T = TypeParam;
  for (const InstructionSet set : available_sets()) {
    std::vector<T> row;
    for (int k = -100; k <= 100; ++k) row.push_back(static_cast<T>(k));
    vector_kernels<T>(set).exp2(row.data(), std::ssize(row));
    for (int k = -100; k <= 100; ++k) {
      EXPECT_EQ(row[static_cast<std::size_t>(k + 100)], std::ldexp(T{1}, k));
    }
  }
}

TYPED_TEST(VectorLoops, exp2_of_special_values_is_special) {
  using T = TypeParam;
  constexpr T infinity = std::numeric_limits<T>::infinity();
  for (const InstructionSet set : available_sets()) {
    const auto& kernels = vector_kernels<T>(set);
    for (const std::size_t place : {0, 4, 16}) {  // in the vectors and in the rest
      for (const T low : {-infinity, T{-10000}, std::numeric_limits<T>::lowest()}) {
        std::vector<T> row(17, T{0});
        row[place] = low;
        kernels.exp2(row.data(), 17);
        EXPECT_EQ(row[place], 0);
      }
      for (const T high : {infinity, T{10000}, std::numeric_limits<T>::max()}) {
        std::vector<T> row(17, T{0});
        row[place] = high;
        kernels.exp2(row.data(), 17);
        EXPECT_EQ(row[place], infinity);
        EXPECT_EQ(row[place == 4 ? 5 : 4], 1);
      }
      std::vector<T> row(17, T{0});
      row[place] = std::numeric_limits<T>::quiet_NaN();
      kernels.exp2(row.data(), 17);
      EXPECT_TRUE(std::isnan(row[place]));
    }
  }
}

TYPED_TEST(VectorLoops, square_and_product_are_sums_in_double) {
  using T = TypeParam;
  this->for_all([](const VectorKernels<T>& kernels, std::int64_t n) {
    const std::vector<T> x = random_row<T>(n, 0, 1, 6);
    const std::vector<double> y = uniform(n, 0, 1, 7);
    double square = 0;
    double product = 0;
    for (std::size_t j = 0; j < x.size(); ++j) {
      square += static_cast<double>(x[j]) * static_cast<double>(x[j]);
      product += static_cast<double>(x[j]) * y[j];
    }
    ASSERT_NEAR(kernels.square(x.data(), n), square, tol<double>(static_cast<double>(n)) * square);
    ASSERT_NEAR(kernels.product(x.data(), y.data(), n), product,
                tol<double>(static_cast<double>(n)) * product);
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

TYPED_TEST(VectorLoops, sum_rows_sums_scaled_rows_and_reads_none_of_scale_zero) {
  using T = TypeParam;
  this->for_all([](const VectorKernels<T>& kernels, std::int64_t n) {
    for (const std::int64_t num_rows : {0, 1, 3, 4, 9}) {
      const std::int64_t stride = n + 3;
      std::vector<T> matrix = random_row<T>(num_rows * stride, -1, 1, 4);
      std::vector<T> scales = random_row<T>(num_rows, -2, 2, 5);
      std::vector<double> expected(static_cast<std::size_t>(n), 0.0);
      for (std::size_t r = 0; r < scales.size(); ++r) {
        T* row = matrix.data() + static_cast<std::int64_t>(r) * stride;
        if (r == 2) {
          scales[r] = 0;
          std::fill_n(row, n, std::numeric_limits<T>::quiet_NaN());
        } else {
          for (std::size_t j = 0; j < expected.size(); ++j) {
            expected[j] += static_cast<double>(scales[r]) * static_cast<double>(row[j]);
          }
        }
      }
      std::vector<T> sums(static_cast<std::size_t>(n + 1), T{-1});
      kernels.sum_rows(matrix.data(), stride, num_rows, scales.data(), n, sums.data());
      for (std::size_t j = 0; j < expected.size(); ++j) {
        ASSERT_NEAR(sums[j], expected[j], 2 * tol<T>(static_cast<double>(num_rows + 1)));
      }
      EXPECT_EQ(sums.back(), -1);
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

TEST(InstructionSets, are_taken_as_the_process_chose) {
  EXPECT_EQ(&vector_kernels<float>(), &vector_kernels<float>(instruction_set()));
  EXPECT_EQ(&vector_kernels<double>(), &vector_kernels<double>(instruction_set()));
}

TEST(InstructionSets, the_portable_one_is_always_there) {
  EXPECT_TRUE(is_available(InstructionSet::portable));
  EXPECT_EQ(best_instruction_set(), available_sets().back());
}

}  // namespace
}  // namespace kantor::kernels::test
