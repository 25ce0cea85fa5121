#include <algorithm>
#include <cmath>
#include <numbers>

#include "runtime/core/error.hpp"
#include "runtime/kernels/blas.hpp"
#include "runtime/kernels/cost_policies.hpp"
#include "runtime/kernels/prepared_reduction.hpp"

namespace kantor::kernels {
namespace {

template <class T>
std::span<const T> row(const Points<T>& points, std::int64_t i) {
  return {points.data + i * points.d, at(points.d)};
}

template <class T>
double distance(std::span<const T> x, std::span<const T> y) {
  double sum = 0;
  for (std::size_t k = 0; k < x.size(); ++k) {
    const double difference = static_cast<double>(x[k]) - static_cast<double>(y[k]);
    sum += difference * difference;
  }
  return std::sqrt(sum);
}

/// Rows of costs that are made anew for each block.
template <class T>
RowOperand<T> rows_of_costs(const CostMatrix<T>& matrix, std::int64_t first_row, std::int64_t count,
                            double epsilon, Workspace::Frame& frame, double* row_parts) {
  T* costs = frame.take<T>(count * matrix.num_columns());
  matrix.costs(first_row, count, costs);
  std::fill_n(row_parts, count, 0.0);
  return {.costs = costs,
          .stride = matrix.num_columns(),
          .scale = static_cast<T>(std::numbers::log2e / epsilon)};
}

}  // namespace

template <class T>
void CostMatrix<T>::prepare_columns(std::int64_t /*first_column*/, std::int64_t count,
                                    double* column_parts, T* /*points*/) const {
  std::fill_n(column_parts, count, 0.0);
}

// |x - y|^2 = |x|^2 + |y|^2 - 2 <x, y>; -<x + s, y + s> = -<x, s> - <s, s> - <y, s> - <x, y>.
template <class T>
FactoredCost<T>::FactoredCost(CostKind kind, Points<T> x, Points<T> y,
                              std::span<const double> shift)
    : CostMatrix<T>(x.n, y.n),
      x_(x),
      y_(y),
      factor_(kind == CostKind::sqeuclidean ? 2 : 1),
      shift_(shift.begin(), shift.end()),
      shift_square_(vector_kernels<double>().square(shift_.data(), std::ssize(shift_))),
      is_distance_(kind != CostKind::dot) {}

template <class T>
double FactoredCost<T>::alpha(std::int64_t i) const {
  const auto& kernels = vector_kernels<T>();
  const T* x = x_.data + i * x_.d;
  if (is_distance_) return factor_ / 2 * kernels.square(x, x_.d);
  return -kernels.product(x, shift_.data(), std::ssize(shift_)) - shift_square_;
}

template <class T>
double FactoredCost<T>::beta(std::int64_t j) const {
  const auto& kernels = vector_kernels<T>();
  const T* y = y_.data + j * y_.d;
  if (is_distance_) return factor_ / 2 * kernels.square(y, y_.d);
  return -kernels.product(y, shift_.data(), std::ssize(shift_));
}

template <class T>
void FactoredCost<T>::prepare_columns(std::int64_t first_column, std::int64_t count,
                                      double* column_parts, T* points) const {
  const auto& kernels = vector_kernels<T>();
  for (std::int64_t j = 0; j < count; ++j) column_parts[j] = beta(first_column + j);
  kernels.pack(y_.data + first_column * y_.d, count, y_.d, kernels.panel_width, T{1}, points);
}

template <class T>
RowOperand<T> FactoredCost<T>::rows(std::int64_t first_row, std::int64_t count, double epsilon,
                                    Workspace::Frame& frame, double* row_parts) const {
  const auto& kernels = vector_kernels<T>();
  for (std::int64_t r = 0; r < count; ++r) row_parts[r] = alpha(first_row + r);
  T* points = frame.take<T>(round_up(count, kernels.row_group) * x_.d);
  kernels.pack(x_.data + first_row * x_.d, count, x_.d, kernels.row_group,
               static_cast<T>(factor_ * std::numbers::log2e / epsilon), points);
  return {.points = points, .depth = x_.d};
}

template <class T>
void FactoredCost<T>::costs(std::int64_t first_row, std::int64_t count, T* tile) const {
  ThreadPool pool(1);
  const PreparedReduction<T> pass = PreparedReduction<T>::of_costs(*this, pool);
  for (std::int64_t r = 0; r < count; r += kMaxBlockRows) {
    pass.make_costs(first_row + r, std::min(kMaxBlockRows, count - r), pool.workspace(),
                    tile + r * y_.n);
  }
}

template <class T>
EuclideanCost<T>::EuclideanCost(Points<T> x, Points<T> y)
    : CostMatrix<T>(x.n, y.n), x_(x), y_(y), x_squares_(at(x.n)), y_squares_(at(y.n)) {
  const auto& kernels = vector_kernels<T>();
  for (std::int64_t i = 0; i < x.n; ++i)
    x_squares_[at(i)] = static_cast<T>(kernels.square(x.data + i * x.d, x.d));
  for (std::int64_t j = 0; j < y.n; ++j)
    y_squares_[at(j)] = static_cast<T>(kernels.square(y.data + j * y.d, y.d));
}

template <class T>
RowOperand<T> EuclideanCost<T>::rows(std::int64_t first_row, std::int64_t count, double epsilon,
                                     Workspace::Frame& frame, double* row_parts) const {
  return rows_of_costs(*this, first_row, count, epsilon, frame, row_parts);
}

template <class T>
void EuclideanCost<T>::costs(std::int64_t first_row, std::int64_t count, T* tile) const {
  // A square s of the factored form errs by a few eps (|x|^2 + |y|^2). Below tau times that sum it
  // is taken again by differences; above, its relative error is a few eps / tau: 1e-12 and 1e-4.
  const T tau = static_cast<T>(std::is_same_v<T, float> ? 1e-2 : 1e-3);
  const auto& kernels = vector_kernels<T>();
  for (std::int64_t r = 0; r < count; ++r) {
    const T x_square = x_squares_[at(first_row + r)];
    T* out = tile + r * y_.n;
    for (std::int64_t j = 0; j < y_.n; ++j) out[j] = x_square + y_squares_[at(j)];
  }
  gemm_nt(count, y_.n, x_.d, T{-2}, x_.data + first_row * x_.d, x_.d, y_.data, y_.d, T{1}, tile,
          y_.n);
  for (std::int64_t r = 0; r < count; ++r) {
    T* out = tile + r * y_.n;
    const std::int64_t i = first_row + r;
    if (!kernels.root_or_mark(out, y_squares_.data(), x_squares_[at(i)], tau, y_.n)) continue;
    for (std::int64_t j = 0; j < y_.n; ++j) {
      if (out[j] < T{0}) out[j] = static_cast<T>(distance(row(x_, i), row(y_, j)));
    }
  }
}

template <class T>
PnormCost<T>::PnormCost(double p, Points<T> x, Points<T> y)
    : CostMatrix<T>(x.n, y.n), p_(static_cast<T>(p)), x_(x), y_columns_(at(y.n * y.d)) {
  for (std::int64_t j = 0; j < y.n; ++j) {
    for (std::int64_t k = 0; k < y.d; ++k) y_columns_[at(k * y.n + j)] = y.data[j * y.d + k];
  }
}

template <class T>
RowOperand<T> PnormCost<T>::rows(std::int64_t first_row, std::int64_t count, double epsilon,
                                 Workspace::Frame& frame, double* row_parts) const {
  return rows_of_costs(*this, first_row, count, epsilon, frame, row_parts);
}

template <class T>
void PnormCost<T>::costs(std::int64_t first_row, std::int64_t count, T* tile) const {
  const std::int64_t m = this->num_columns();
  const auto& kernels = vector_kernels<T>();
  for (std::int64_t r = 0; r < count; ++r) {
    kernels.pnorm_row(x_.data + (first_row + r) * x_.d, y_columns_.data(), x_.d, m, p_,
                      tile + r * m);
  }
}

template class CostMatrix<float>;
template class CostMatrix<double>;
template class FactoredCost<float>;
template class FactoredCost<double>;
template class EuclideanCost<float>;
template class EuclideanCost<double>;
template class PnormCost<float>;
template class PnormCost<double>;

}  // namespace kantor::kernels
