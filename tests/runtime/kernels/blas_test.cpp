#include "runtime/kernels/blas.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "runtime/core/error.hpp"
#include "tests/runtime/kernels/random_problem.hpp"
#include "tests/support/tolerance.hpp"

namespace kantor::kernels::test {
namespace {

using kantor::test::tol;

template <class T>
std::vector<T> random_matrix(std::int64_t size, std::uint64_t seed) {
  const std::vector<double> values = uniform(size, -1, 1, seed);
  return std::vector<T>(values.begin(), values.end());
}

template <class T>
class Gemm : public testing::Test {};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(Gemm, Types);

TYPED_TEST(Gemm, is_the_product_with_leading_dimensions_alpha_and_beta) {
  using T = TypeParam;
  const struct {
    std::int64_t m, n, k;
  } shapes[] = {{1, 1, 1}, {3, 5, 2}, {2, 1, 7}, {17, 9, 33}, {64, 65, 3}};
  for (const auto& [m, n, k] : shapes) {
    const std::int64_t lda = k + 2, ldb_t = k + 1, ldb = n + 3, ldc = n + 4;
    const auto a = random_matrix<T>(m * lda, 1);
    const auto b_t = random_matrix<T>(n * ldb_t, 2);
    const auto b = random_matrix<T>(k * ldb, 3);
    const auto c = random_matrix<T>(m * ldc, 4);
    auto by_transposed = c, by_rows = c;
    gemm_nt(m, n, k, T{2}, a.data(), lda, b_t.data(), ldb_t, T{3}, by_transposed.data(), ldc);
    gemm_nn(m, n, k, T{2}, a.data(), lda, b.data(), ldb, T{3}, by_rows.data(), ldc);
    for (std::int64_t i = 0; i < m; ++i) {
      for (std::int64_t j = 0; j < ldc; ++j) {
        const auto at = static_cast<std::size_t>(i * ldc + j);
        if (j >= n) {  // between the rows nothing is touched
          ASSERT_EQ(by_transposed[at], c[at]);
          ASSERT_EQ(by_rows[at], c[at]);
          continue;
        }
        double transposed = 0, rows = 0;
        for (std::int64_t l = 0; l < k; ++l) {
          const double left = a[static_cast<std::size_t>(i * lda + l)];
          transposed += left * b_t[static_cast<std::size_t>(j * ldb_t + l)];
          rows += left * b[static_cast<std::size_t>(l * ldb + j)];
        }
        ASSERT_NEAR(by_transposed[at], 2 * transposed + 3 * c[at], 5 * tol<T>(double(k)));
        ASSERT_NEAR(by_rows[at], 2 * rows + 3 * c[at], 5 * tol<T>(double(k)));
      }
    }
  }
}

TYPED_TEST(Gemm, overwrites_when_beta_is_zero) {
  using T = TypeParam;
  const T one = 1;
  T out = std::numeric_limits<T>::quiet_NaN();
  gemm_nt(1, 1, 1, T{2}, &one, 1, &one, 1, T{0}, &out, 1);
  EXPECT_EQ(out, 2);
}

TYPED_TEST(Gemm, does_nothing_when_empty) {
  TypeParam out = 5;
  gemm_nn(0, 1, 1, TypeParam{1}, nullptr, 1, &out, 1, TypeParam{1}, &out, 1);
  gemm_nn(1, 0, 1, TypeParam{1}, &out, 1, nullptr, 0, TypeParam{1}, &out, 0);
  EXPECT_EQ(out, 5);
}

TYPED_TEST(Gemm, refuses_what_does_not_fit_in_32_bits) {
  TypeParam value = 1;
  const std::int64_t large = std::int64_t{1} << 31;
  const auto product = [&](std::int64_t m, std::int64_t n, std::int64_t k) {
    gemm_nt(m, n, k, TypeParam{1}, &value, 1, &value, 1, TypeParam{1}, &value, 1);
  };
  EXPECT_THROW(product(large, 1, 1), ShapeError);
  EXPECT_THROW(product(1, large, 1), ShapeError);
  EXPECT_THROW(product(1, 1, large), ShapeError);
  EXPECT_THROW(product(-1, 1, 1), ShapeError);
}

TEST(SymmetricEigen, rows_are_the_eigenvectors_of_ascending_values) {
  for (const std::size_t n : {1u, 2u, 5u, 40u}) {
    const auto order = static_cast<std::int64_t>(n);
    std::vector<double> matrix = uniform(order * order, -1, 1, 5);
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t j = 0; j < i; ++j) matrix[i * n + j] = matrix[j * n + i];
    }
    std::vector<double> vectors = matrix, values(n);
    symmetric_eigen(order, vectors, values);
    for (std::size_t k = 0; k < n; ++k) {
      if (k > 0) {
        EXPECT_LE(values[k - 1], values[k]);
      }
      double square = 0;
      for (std::size_t i = 0; i < n; ++i) {
        double image = 0;
        for (std::size_t j = 0; j < n; ++j) image += matrix[i * n + j] * vectors[k * n + j];
        EXPECT_NEAR(image, values[k] * vectors[k * n + i], 1e-13);
        square += vectors[k * n + i] * vectors[k * n + i];
      }
      EXPECT_NEAR(square, 1, 1e-13);
    }
  }
}

TEST(SymmetricEigen, refuses_wrong_sizes) {
  std::vector<double> matrix(4), values(3);
  EXPECT_THROW(symmetric_eigen(2, matrix, values), ShapeError);
  EXPECT_THROW(symmetric_eigen(3, matrix, values), ShapeError);
  EXPECT_THROW(symmetric_eigen(-1, matrix, values), ShapeError);
}

TEST(Cholesky, is_lower_and_gives_the_matrix_back) {
  const std::size_t n = 6;
  const std::vector<double> root = uniform(36, -1, 1, 6);
  std::vector<double> matrix(36);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < n; ++j) {
      for (std::size_t k = 0; k < n; ++k) matrix[i * n + j] += root[i * n + k] * root[j * n + k];
    }
  }
  std::vector<double> factor = matrix;
  cholesky(6, factor);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < n; ++j) {
      if (j > i) {
        EXPECT_EQ(factor[i * n + j], 0);
      }
      double product = 0;
      for (std::size_t k = 0; k < n; ++k) product += factor[i * n + k] * factor[j * n + k];
      EXPECT_NEAR(product, matrix[i * n + j], 1e-14);
    }
  }
}

TEST(Cholesky, refuses_what_is_not_positive_definite_or_not_square) {
  std::vector<double> matrix = {1, 2, 2, 1};
  EXPECT_THROW(cholesky(2, matrix), NumericError);
  EXPECT_THROW(cholesky(3, matrix), ShapeError);
}

}  // namespace
}  // namespace kantor::kernels::test
