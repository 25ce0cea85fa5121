#pragma once

// The BLAS and LAPACK routines that LibTorch exports, row-major where a matrix is meant.

#include <cstdint>
#include <span>

namespace kantor::kernels {

/// C = alpha A B^T + beta C. A [m, k], B [n, k], C [m, n], all row-major with the given leading
/// dimensions.
void gemm_nt(std::int64_t m, std::int64_t n, std::int64_t k, float alpha, const float* a,
             std::int64_t lda, const float* b, std::int64_t ldb, float beta, float* c,
             std::int64_t ldc);
void gemm_nt(std::int64_t m, std::int64_t n, std::int64_t k, double alpha, const double* a,
             std::int64_t lda, const double* b, std::int64_t ldb, double beta, double* c,
             std::int64_t ldc);

/// C = alpha A B + beta C. A [m, k], B [k, n], C [m, n].
void gemm_nn(std::int64_t m, std::int64_t n, std::int64_t k, float alpha, const float* a,
             std::int64_t lda, const float* b, std::int64_t ldb, float beta, float* c,
             std::int64_t ldc);
void gemm_nn(std::int64_t m, std::int64_t n, std::int64_t k, double alpha, const double* a,
             std::int64_t lda, const double* b, std::int64_t ldb, double beta, double* c,
             std::int64_t ldc);

/// Eigenvalues (ascending) and eigenvectors of a symmetric matrix, in place.
/// @param matrix [n, n] in: symmetric; out: row k is the eigenvector of values[k].
/// @throws NumericError if LAPACK does not converge.
void symmetric_eigen(std::int64_t n, std::span<double> matrix, std::span<double> values);

/// Lower Cholesky factor in place (the strict upper part is zeroed). @throws NumericError if not
/// positive definite.
void cholesky(std::int64_t n, std::span<double> matrix);

}  // namespace kantor::kernels
