#include "runtime/kernels/blas.hpp"

#include <algorithm>
#include <limits>
#include <vector>

#include "runtime/core/error.hpp"

// Exported by libtorch_cpu with the Fortran interface: everything by pointer, column-major, 32-bit
// integers.
extern "C" {
void sgemm_(const char* trans_a, const char* trans_b, const int* m, const int* n, const int* k,
            const float* alpha, const float* a, const int* lda, const float* b, const int* ldb,
            const float* beta, float* c, const int* ldc);
void dgemm_(const char* trans_a, const char* trans_b, const int* m, const int* n, const int* k,
            const double* alpha, const double* a, const int* lda, const double* b, const int* ldb,
            const double* beta, double* c, const int* ldc);
void dsyevd_(const char* jobz, const char* uplo, const int* n, double* a, const int* lda, double* w,
             double* work, const int* lwork, int* iwork, const int* liwork, int* info);
void dpotrf_(const char* uplo, const int* n, double* a, const int* lda, int* info);
// MKL alone has it; null where LibTorch was built with another BLAS.
int MKL_Set_Num_Threads_Local(int num_threads) __attribute__((weak));
}

namespace kantor::kernels {
namespace {

enum class Layout { rows, transposed };  // of the second factor: B [k, n] or B [n, k]

/// Keeps BLAS on the calling thread: the callers are the threads, and a second team of MKL's would
/// spin against them.
class OneThread {
 public:
  OneThread() : previous_(set(1)) {}
  ~OneThread() { set(previous_); }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  static int set(int num_threads) {
    return MKL_Set_Num_Threads_Local != nullptr ? MKL_Set_Num_Threads_Local(num_threads) : 0;
  }
  int previous_;
};

int fortran_int(std::int64_t value, const char* name) {
  if (value < 0 || value > std::numeric_limits<int>::max()) {
    throw ShapeError(concat("matrix product or factorisation: ", name, " = ", value,
                            ", but BLAS takes 0 to ", std::numeric_limits<int>::max(),
                            "; cut the matrix into panels"));
  }
  return static_cast<int>(value);
}

#ifdef KANTOR_NAIVE_GEMM

// Plain loops, so that sanitizers see every access.
template <class T>
void gemm(Layout layout, std::int64_t m, std::int64_t n, std::int64_t k, T alpha, const T* a,
          std::int64_t lda, const T* b, std::int64_t ldb, T beta, T* c, std::int64_t ldc) {
  fortran_int(m, "m"), fortran_int(n, "n"), fortran_int(k, "k");
  for (std::int64_t i = 0; i < m; ++i) {
    for (std::int64_t j = 0; j < n; ++j) {
      T sum = 0;
      for (std::int64_t l = 0; l < k; ++l) {
        sum += a[i * lda + l] * (layout == Layout::rows ? b[l * ldb + j] : b[j * ldb + l]);
      }
      T& out = c[i * ldc + j];
      out = alpha * sum + (beta == T{0} ? T{0} : beta * out);  // as BLAS: beta 0 overwrites NaN
    }
  }
}

#else

void call(const char* trans_a, const char* trans_b, int m, int n, int k, float alpha,
          const float* a, int lda, const float* b, int ldb, float beta, float* c, int ldc) {
  sgemm_(trans_a, trans_b, &m, &n, &k, &alpha, a, &lda, b, &ldb, &beta, c, &ldc);
}
void call(const char* trans_a, const char* trans_b, int m, int n, int k, double alpha,
          const double* a, int lda, const double* b, int ldb, double beta, double* c, int ldc) {
  dgemm_(trans_a, trans_b, &m, &n, &k, &alpha, a, &lda, b, &ldb, &beta, c, &ldc);
}

// Row-major C = A op(B) is column-major C^T = op(B)^T A^T: the factors change places.
template <class T>
void gemm(Layout layout, std::int64_t m, std::int64_t n, std::int64_t k, T alpha, const T* a,
          std::int64_t lda, const T* b, std::int64_t ldb, T beta, T* c, std::int64_t ldc) {
  const int int_m = fortran_int(m, "m");
  const int int_n = fortran_int(n, "n");
  const int int_k = fortran_int(k, "k");
  // BLAS refuses a leading dimension of 0 even where the matrix is empty.
  const int int_lda = fortran_int(std::max<std::int64_t>(lda, 1), "lda");
  const int int_ldb = fortran_int(std::max<std::int64_t>(ldb, 1), "ldb");
  const int int_ldc = fortran_int(std::max<std::int64_t>(ldc, 1), "ldc");
  if (m == 0 || n == 0) return;
  const OneThread one_thread;
  call(layout == Layout::rows ? "N" : "T", "N", int_n, int_m, int_k, alpha, b, int_ldb, a, int_lda,
       beta, c, int_ldc);
}

#endif

void check_square(const char* what, std::int64_t n, std::size_t size) {
  if (n < 0 || size != static_cast<std::size_t>(n) * static_cast<std::size_t>(n)) {
    throw ShapeError(
        concat(what, ": ", size, " numbers for a matrix of order ", n, "; expected order squared"));
  }
}

}  // namespace

void gemm_nt(std::int64_t m, std::int64_t n, std::int64_t k, float alpha, const float* a,
             std::int64_t lda, const float* b, std::int64_t ldb, float beta, float* c,
             std::int64_t ldc) {
  gemm(Layout::transposed, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}
void gemm_nt(std::int64_t m, std::int64_t n, std::int64_t k, double alpha, const double* a,
             std::int64_t lda, const double* b, std::int64_t ldb, double beta, double* c,
             std::int64_t ldc) {
  gemm(Layout::transposed, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}
void gemm_nn(std::int64_t m, std::int64_t n, std::int64_t k, float alpha, const float* a,
             std::int64_t lda, const float* b, std::int64_t ldb, float beta, float* c,
             std::int64_t ldc) {
  gemm(Layout::rows, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}
void gemm_nn(std::int64_t m, std::int64_t n, std::int64_t k, double alpha, const double* a,
             std::int64_t lda, const double* b, std::int64_t ldb, double beta, double* c,
             std::int64_t ldc) {
  gemm(Layout::rows, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

void symmetric_eigen(std::int64_t n, std::span<double> matrix, std::span<double> values) {
  check_square("eigenvalues", n, matrix.size());
  if (values.size() != static_cast<std::size_t>(n)) {
    throw ShapeError(concat("eigenvalues: room for ", values.size(), ", expected ", n));
  }
  if (n == 0) return;
  const int order = fortran_int(n, "n");
  const OneThread one_thread;
  int info = 0;
  int query = -1;
  double work_size = 0;
  int iwork_size = 0;
  dsyevd_("V", "L", &order, matrix.data(), &order, values.data(), &work_size, &query, &iwork_size,
          &query, &info);
  if (info != 0) throw NumericError(concat("eigenvalues of order ", n, ": dsyevd query ", info));
  const int lwork = fortran_int(static_cast<std::int64_t>(work_size), "lwork");
  std::vector<double> work(static_cast<std::size_t>(lwork));
  std::vector<int> iwork(static_cast<std::size_t>(iwork_size));
  dsyevd_("V", "L", &order, matrix.data(), &order, values.data(), work.data(), &lwork, iwork.data(),
          &iwork_size, &info);
  if (info != 0) {
    throw NumericError(concat("eigenvalues of a symmetric matrix of order ", n,
                              ": LAPACK dsyevd gave ", info,
                              ", expected 0; check the matrix for NaN, inf or huge entries"));
  }
}

void cholesky(std::int64_t n, std::span<double> matrix) {
  check_square("Cholesky factor", n, matrix.size());
  if (n == 0) return;
  const int order = fortran_int(n, "n");
  const OneThread one_thread;
  int info = 0;
  dpotrf_("U", &order, matrix.data(), &order, &info);  // column-major upper = row-major lower
  if (info != 0) {
    throw NumericError(concat("Cholesky factor of a matrix of order ", n, ": LAPACK dpotrf gave ",
                              info, "; the leading minor of that order is not positive definite"));
  }
  const auto size = static_cast<std::size_t>(n);
  for (std::size_t row = 0; row < size; ++row) {
    for (std::size_t column = row + 1; column < size; ++column) matrix[row * size + column] = 0;
  }
}

}  // namespace kantor::kernels
